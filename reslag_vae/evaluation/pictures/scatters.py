"""Scatter plots of codes in two dimensions, one panel for each model."""

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from reslag_vae.evaluation.pictures.figures import default_settings, drawable
from reslag_vae.evaluation.pictures.palette import COLORS

if TYPE_CHECKING:
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.figure import Figure

WIDTH, KEY = 7.5, 1.3  # inches of the picture and of the part with the names of the classes
COLUMNS = 3
ALPHA = 0.6
BAR_NAMES = 20  # at a colour bar

# All axes of more dimensions take minutes, and two do not.
MOST_DIMENSIONS = 1024


def two_dimensions(codes: Tensor) -> Tensor:
    """Return (N, 2) coordinates of (N, d) codes along their first two principal axes.

    Codes with d = 2 are returned unchanged. The sign of an axis makes its largest component
    positive.

    Raises:
        ValueError: d is 1.
    """
    if codes.shape[1] < 2:
        raise ValueError("Codes of one number have no second dimension to be drawn along.")
    if codes.shape[1] == 2:
        return codes
    centred = codes.double() - codes.double().mean(0)
    axes = principal_axes(centred)
    signs = axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    coordinates: Tensor = centred @ (axes * signs)
    return coordinates.to(codes.dtype)


def principal_axes(centred: Tensor) -> Tensor:
    """Return the (d, 2) first two principal axes of (N, d) codes whose mean is 0, in float64."""
    dimension = centred.shape[1]
    if dimension <= MOST_DIMENSIONS:
        every: Tensor = torch.linalg.eigh(centred.T @ centred).eigenvectors
        return every.flip(1)[:, :2]
    from scipy.sparse.linalg import LinearOperator, eigsh

    numbers = centred.cpu().numpy()
    squares = LinearOperator(
        (dimension, dimension), matvec=lambda own: numbers.T @ (numbers @ own), dtype=np.float64
    )
    start = np.random.default_rng(0).standard_normal(dimension)
    _, axes = eigsh(squares, k=2, v0=start)
    return torch.from_numpy(axes[:, ::-1].copy()).to(centred)


def axis_names(dimension: int) -> tuple[str, str]:
    """Return what the coordinates of `two_dimensions` are, for codes with d = `dimension`."""
    if dimension == 2:
        return "z1", "z2"
    return f"first principal axis of {dimension}-dimensional codes", "second principal axis"


@default_settings()
def posterior_scatter(
    points: dict[str, Tensor], labels: Tensor, class_names: list[str], names: tuple[str, str]
) -> "Figure":
    """Draw a panel for each model with a point for each image, as in Figure 1 of the thesis.

    Points are coloured by class. Up to ten classes have a legend; more have a colour bar with the
    names of a few. Points are drawn in an order that does not depend on their class, so that no
    class lies above the others.

    Args:
        points: (N, 2) by title: samples of the posteriors in two dimensions, or a t-SNE of them.
        labels: (N,) class numbers.
        class_names: names in the order of the class numbers; empty without labels, and then all
            points have one colour.
        names: names of the two dimensions, as `axis_names` gives them.

    Raises:
        ValueError: points have another shape, or a label has no class name.
    """
    from matplotlib.figure import Figure

    check_points(points, labels, class_names)
    order = np.random.default_rng(0).permutation(len(labels))
    numbers = labels.cpu().numpy()[order] if class_names else np.zeros(len(labels))
    columns = min(COLUMNS, len(points))
    rows = math.ceil(len(points) / columns)
    breadth = WIDTH - KEY if class_names else WIDTH
    figure = Figure(
        figsize=(WIDTH, 0.5 + rows * breadth / columns),
        layout="constrained",
        facecolor="white",
    )
    colours, norm = colours_of(len(class_names))
    size = 9 * max(1.0, math.sqrt(5000 / len(labels)))  # the fewer the larger
    for number, (title, coordinates) in enumerate(points.items()):
        axis = figure.add_subplot(rows, columns, number + 1, aspect="equal", box_aspect=1)
        x, y = coordinates.detach().cpu().numpy()[order].T
        axis.scatter(
            x, y, s=size / columns, c=numbers, cmap=colours, norm=norm, alpha=ALPHA, linewidths=0
        )
        axis.set_adjustable("datalim")
        axis.set_title(drawable(title), fontsize=10)
        axis.tick_params(labelsize=8)
        axis.locator_params(nbins=5)
    figure.supxlabel(names[0], fontsize=9)
    figure.supylabel(names[1], fontsize=9)
    add_key(figure, class_names)
    return figure


def check_points(points: dict[str, Tensor], labels: Tensor, class_names: list[str]) -> None:
    """Check that each label has a point in the plane and a class name.

    Raises:
        ValueError: points have another shape, or a label has no class name.
    """
    for title, coordinates in points.items():
        if coordinates.shape != (len(labels), 2):
            raise ValueError(
                f"{title}: points of shape {tuple(coordinates.shape)}, not ({len(labels)}, 2)."
            )
    if class_names and not 0 <= int(labels.min()) <= int(labels.max()) < len(class_names):
        raise ValueError(
            f"Labels from {int(labels.min())} to {int(labels.max())} for {len(class_names)} class "
            "names."
        )


def colours_of(classes: int) -> tuple["ListedColormap", "Normalize"]:
    """Return a colour map of the class numbers with its scale; one colour without classes."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, Normalize

    count = max(1, classes)
    scale = Normalize(-0.5, count - 0.5)
    if count <= len(COLORS):
        return ListedColormap(COLORS[:count]), scale
    return ListedColormap(colormaps["viridis"](np.linspace(0, 1, count))), scale


def add_key(figure: "Figure", class_names: list[str]) -> None:
    """Add a legend to the right, or a colour bar with some of the names for many classes."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.lines import Line2D

    colours, norm = colours_of(len(class_names))
    names = [drawable(name) for name in class_names]
    if len(names) > len(COLORS):
        ticks = range(0, len(names), math.ceil(len(names) / BAR_NAMES))
        bar = figure.colorbar(ScalarMappable(norm, colours), ax=figure.axes, ticks=ticks, aspect=40)
        bar.ax.set_yticklabels([names[i] for i in ticks], fontsize=8)
    elif names:
        dots = [
            Line2D([], [], marker="o", linestyle="", color=colours(i)) for i in range(len(names))
        ]
        figure.legend(
            dots, names, loc="outside right center", fontsize=9, frameon=False, handletextpad=0.1
        )

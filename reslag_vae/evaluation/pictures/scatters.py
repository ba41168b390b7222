"""Scatter plots of codes in two dimensions, one panel for each model."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from reslag_vae.evaluation.pictures.axes import POINTS
from reslag_vae.evaluation.pictures.figures import default_settings, drawable
from reslag_vae.evaluation.pictures.palette import COLORS, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.figure import Figure

WIDTH, KEY = 7.5, 1.6  # inches of the picture and of the part with the names of the classes
LINE = 0.2  # inches of a line of names below the picture
COLUMNS = 3
ALPHA = 0.7
BAR_NAMES = 20  # at a colour bar
LONGEST_NAME = 15  # characters of a class in the key
# A colour and a marker each; more classes have but a colour
MOST_MARKED = len(COLORS) * len(MARKERS)
ROUNDS = 8  # in which the points of every class are drawn, so that none lies above the others

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

    Each of up to a hundred classes has a colour and a marker, named to the right, or below if there
    are more than ten; more have a colour bar with the names of a few. Points are drawn in an order
    that does not depend on their class, so that no class lies above the others.

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
    numbers = labels.cpu().numpy()[order] if class_names else np.zeros(len(labels), dtype=int)
    columns = min(COLUMNS, len(points))
    rows = math.ceil(len(points) / columns)
    beside = 0 < len(class_names) <= len(COLORS) or len(class_names) > MOST_MARKED
    breadth = WIDTH - KEY if beside else WIDTH
    below = key_height(len(class_names))
    height = 0.6 + rows * breadth / columns + below
    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
    size = 12 * max(1.0, math.sqrt(5000 / len(labels))) / columns  # the fewer the larger
    for number, (title, coordinates) in enumerate(points.items()):
        axis = figure.add_subplot(rows, columns, number + 1, aspect="equal", box_aspect=1)
        draw_points(axis, coordinates.detach().cpu().numpy()[order], numbers, size, class_names)
        axis.set_adjustable("datalim")
        axis.set_title(drawable(title), fontsize=POINTS)
        axis.tick_params(labelsize=POINTS - 2)
        axis.locator_params(nbins=5)
    figure.supylabel(names[1], fontsize=POINTS)
    if not below:  # else it stands above the key, which lies between
        figure.supxlabel(names[0], fontsize=POINTS)
    add_key(figure, class_names, names[0])
    return figure


def draw_points(
    axis: "Axes", points: np.ndarray, numbers: np.ndarray, size: float, class_names: list[str]
) -> None:
    """Draw (N, 2) points of some classes, in a few rounds over all classes.

    Args:
        axis: axes of the panel.
        points: (N, 2) points in random order.
        numbers: (N,) their class numbers.
        size: area of a point.
        class_names: names of all classes.
    """
    colours, norm = colours_of(len(class_names))
    options: dict[str, Any] = {
        "s": size,
        "cmap": colours,
        "norm": norm,
        "alpha": ALPHA,
        "linewidths": 0,
    }
    if not 1 < len(class_names) <= MOST_MARKED:
        axis.scatter(points[:, 0], points[:, 1], c=numbers, **options)
        return
    rounds = np.arange(len(numbers)) % ROUNDS
    for turn in range(ROUNDS):
        for number in np.unique(numbers[rounds == turn]):
            own = (rounds == turn) & (numbers == number)
            options["marker"] = marker_of(int(number))
            axis.scatter(points[own, 0], points[own, 1], c=numbers[own], **options)


def marker_of(number: int) -> str:
    """Return the marker of a class: with its colour, another for each of a hundred classes."""
    return MARKERS[(number + number // len(COLORS)) % len(MARKERS)]


def key_height(classes: int) -> float:
    """Return the inches below the panels that the names of so many classes take."""
    columns = key_columns(classes)
    return LINE * (math.ceil(classes / columns) + 2) if columns else 0.0


def key_columns(classes: int) -> int:
    """Return the columns of names below the panels; 0 where these stand to the right."""
    return 4 if len(COLORS) < classes <= MOST_MARKED else 0


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
    if count <= MOST_MARKED:
        return ListedColormap([COLORS[i % len(COLORS)] for i in range(count)]), scale
    return ListedColormap(colormaps["viridis"](np.linspace(0, 1, count))), scale


def add_key(figure: "Figure", class_names: list[str], x: str) -> None:
    """Add a legend, or a colour bar with some of the names for very many classes.

    Args:
        figure: picture whose panels the key explains.
        class_names: names of all classes.
        x: name of the horizontal axis, which stands above a legend below the panels.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.lines import Line2D

    colours, norm = colours_of(len(class_names))
    names = [drawable(name, LONGEST_NAME) for name in class_names]
    if len(names) > MOST_MARKED:
        ticks = range(0, len(names), math.ceil(len(names) / BAR_NAMES))
        bar = figure.colorbar(ScalarMappable(norm, colours), ax=figure.axes, ticks=ticks, aspect=40)
        bar.ax.set_yticklabels([names[i] for i in ticks], fontsize=POINTS - 2)
        return
    marks = [
        Line2D([], [], marker=marker_of(i), linestyle="", color=colours(i))
        for i in range(len(names))
    ]
    options: dict[str, Any] = {"fontsize": POINTS - 1, "frameon": False, "handletextpad": 0.1}
    if key_columns(len(names)):
        columns = key_columns(len(names))
        options |= {"title": x, "title_fontsize": POINTS, "ncols": columns}
        figure.legend(marks, names, loc="outside lower center", **options)
    elif names:
        figure.legend(marks, names, loc="outside right center", **options)

"""Matplotlib figures, drawn without a display and independently of the user's settings."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch import Tensor

from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTIVE, INACTIVE = "#1f77b4", "#c7c7c7"
DPI = 120
LONGEST, LONGEST_TITLE = 40, 200  # characters of a name, and of a line above a picture
LINE = 65  # characters above a picture, beside each other
MOST_BARS, MOST_NAMED, BAR_WIDTH = 500, 16, 0.85
# Of words on a picture some 7 inches wide, and on a grid of images, some 10 inches wide: legible
# where they are 400 pixels wide on a screen
POINTS, GRID_POINTS = 12, 15


@contextmanager
def default_settings() -> Iterator[None]:
    """Use matplotlib's default settings within the context, whatever the user's are.

    It also serves as a decorator. Text is drawn literally: a dollar sign starts no formula.
    Characters that the font lacks become boxes, without a warning.
    """
    from matplotlib import rc_context, style

    with (
        style.context("default"),
        rc_context({"text.parse_math": False}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from", UserWarning)
        yield


def drawable(name: str, longest: int = LONGEST) -> str:
    """Return a name in a form that matplotlib can draw: visible, on one line and not too long.

    Names such as those of classes come from outside of this package.
    """
    text = printable(name)
    shown = text if text.strip() else repr(text)
    short = shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
    # matplotlib leaves names that begin with an underscore out of legends.
    return f" {short}" if short.startswith("_") else short


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG, replacing an existing file atomically."""
    write_atomically(path, png(figure))


@default_settings()
def png(figure: "Figure") -> bytes:
    """Return a figure as PNG."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI)
    return data.getvalue()


@default_settings()
def image_grid(rows: list[tuple[str, Tensor]], title: str, columns: int = 8) -> "Figure":
    """Draw labelled rows of images.

    Rows of more than `columns` images are broken into lines, which then interleave.

    Args:
        rows: (label, (N, C, H, W) images in [0, 1]), all of equal N.
        title: text above the grid.
        columns: images in a line.
    """
    from matplotlib.figure import Figure

    count = len(rows[0][1])
    lines = []
    for start in range(0, count, columns):
        lines += [(label, images[start : start + columns]) for label, images in rows]
    width = min(columns, count)
    mosaic, (height, _) = tiled([images for _, images in lines], width)
    figure = Figure(
        figsize=(1.6 + width, 0.7 + width * mosaic.shape[0] / mosaic.shape[1]),
        layout="constrained",
    )
    axis = figure.subplots()
    show(axis, mosaic)
    axis.set_yticks(
        [(i + 0.5) * height for i in range(len(lines))],
        [drawable(label).replace(" ", "\n") for label, _ in lines],
        fontsize=GRID_POINTS,
    )
    above = fill(drawable(title, LONGEST_TITLE), LINE)
    # Beginning with the labels, which give it room.
    figure.suptitle(above, x=0.01, ha="left", fontsize=GRID_POINTS)
    return figure


def show(axis: "Axes", mosaic: np.ndarray) -> None:
    """Draw a (height, width) or (height, width, 3) picture in [0, 1], without scales or frame."""
    axis.imshow(mosaic, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def tiled(lines: list[Tensor], width: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return lines of (N, C, H, W) images as one picture, and the size of one place in it.

    The images lie on white, with a gap around each. The size is (height, width) in pixels, gap
    included.
    """
    _, channels, height, breadth = lines[0].shape
    gap = max(1, breadth // 16)
    place = (height + gap, breadth + gap)
    mosaic = np.ones((len(lines) * place[0], width * place[1], channels), dtype=np.float32)
    for row, images in enumerate(lines):
        for column, image in enumerate(images.detach().float().clamp(0, 1).cpu().numpy()):
            top, left = row * place[0] + gap // 2, column * place[1] + gap // 2
            mosaic[top : top + height, left : left + breadth] = image.transpose(1, 2, 0)
    return mosaic.squeeze(-1) if channels == 1 else mosaic, place


@default_settings()
def kl_bars(kl: np.ndarray, active: np.ndarray, title: str) -> "Figure":
    """Draw the KL of each latent dimension in nats, largest first, with inactive units in grey.

    Of very many, the 500 largest are drawn. Bars are named by their dimensions, from z1: all, or
    some of many.

    Args:
        kl: (d,) KL in nats.
        active: (d,) bool, whether each unit is active.
        title: text above the bars.
    """
    order = np.argsort(-kl)[:MOST_BARS]
    colors = np.where(active[order], ACTIVE, INACTIVE)
    some = f", {MOST_BARS} of {len(kl):,}" if len(kl) > MOST_BARS else ""
    names = [f"z{j + 1}" for j in order]
    key = {f"active ({int(active.sum())})": ACTIVE, f"idle ({int((~active).sum())})": INACTIVE}
    labels = (f"latent dimension, largest KL first{some}", "KL (nats)")
    figure = bars([Bars(kl[order], colors, title, names)], labels)
    add_key(figure, key)
    return figure


def add_key(figure: "Figure", colors: dict[str, str]) -> None:
    """Add the meaning of colours below bars, where it hides none of them."""
    from matplotlib.patches import Patch

    patches = [Patch(color=color, label=label) for label, color in colors.items()]
    figure.legend(
        handles=patches,
        loc="outside lower center",
        ncols=len(patches),
        fontsize=POINTS - 1,
        frameon=False,
    )


@default_settings()
def usage_bars(usage: Sequence[np.ndarray], titles: Sequence[str]) -> "Figure":
    """Draw how often each code is used, most used first, the top level above the others.

    Args:
        usage: (K_l,) uses of each level.
        titles: text above the bars of each level.
    """
    levels = zip(usage, titles, strict=True)
    rows = [Bars(np.sort(uses)[::-1], np.full(len(uses), ACTIVE), title) for uses, title in levels]
    return bars(rows, ("rank of the code by its use", "uses"))


class Bars(NamedTuple):
    """A row of bars next to each other.

    Attributes:
        heights: (N,) heights.
        colors: (N,) colours.
        title: text above the bars.
        names: N names below the bars; none numbers them.
    """

    heights: np.ndarray
    colors: np.ndarray
    title: str
    names: Sequence[str] = ()


def bars(rows: Sequence[Bars], labels: tuple[str, str]) -> "Figure":
    """Draw rows of bars below each other.

    Args:
        rows: rows, from above.
        labels: of both axes.
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.3 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), squeeze=False)[:, 0]
    for axis, row in zip(axes, rows, strict=True):
        count = len(row.heights)
        # Tens of thousands of codes are as quickly drawn as ten, in one piece.
        pieces = PolyCollection(
            list(outlines(row.heights)), facecolors=list(row.colors), linewidths=0
        )
        pieces.sticky_edges.y.append(0)
        axis.add_collection(pieces)
        axis.autoscale_view(scalex=False)
        axis.set_xlim(0.4, count + 0.6)
        axis.set_xlabel(labels[0], fontsize=POINTS)
        axis.set_ylabel(labels[1], fontsize=POINTS)
        axis.tick_params(labelsize=POINTS - 1)
        if row.names:
            shown = range(0, count, -(-count // MOST_NAMED))
            axis.set_xticks([i + 1 for i in shown], [row.names[i] for i in shown])
        above = fill(drawable(row.title, LONGEST_TITLE), LINE)
        axis.set_title(above, fontsize=POINTS, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def outlines(heights: np.ndarray) -> np.ndarray:
    """Return the (N, 4, 2) corners of bars of (N,) heights, at 1 to N."""
    left = np.arange(len(heights)) + 1 - BAR_WIDTH / 2
    right, bottom = left + BAR_WIDTH, np.zeros(len(heights))
    corners = [(left, bottom), (left, heights), (right, heights), (right, bottom)]
    return np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)

"""Plain axes for curves, with the legend below."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (7.5, 4.2)  # inches
# Of words on a picture of that width, which are legible where it is 400 pixels wide on a screen
POINTS = 12

# The share of the epochs, at the beginning, that the scale of a curve ignores: their values are far
# off.
SETTLING_SHARE = 0.1


def empty_axes(x: str, y: str) -> tuple["Figure", "Axes"]:
    """Return a figure with one pair of labelled axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained", facecolor="white")
    axis = figure.subplots()
    axis.set_xlabel(x, fontsize=POINTS)
    axis.set_ylabel(y, fontsize=POINTS)
    axis.tick_params(labelsize=POINTS - 1)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def add_legend(figure: "Figure") -> None:
    """Add a legend below the axes, where it covers nothing."""
    figure.legend(loc="outside lower center", ncols=2, fontsize=POINTS - 1, frameon=False)


def log_if_wide(axis: "Axes", name: Literal["x", "y"], values: Sequence[float]) -> None:
    """Make a scale logarithmic if its values are positive and span more than a decade."""
    if values and min(values) > 0 and max(values) > 10 * min(values):
        make_log(axis, name)


def make_log(axis: "Axes", name: Literal["x", "y"]) -> None:
    """Make a scale logarithmic, with plain numbers at 1, 2 and 5 times a power of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set(**{f"{name}scale": "log"})
    scale = axis.xaxis if name == "x" else axis.yaxis
    scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
    scale.set_major_formatter("{x:g}")
    scale.set_minor_formatter(NullFormatter())


def settled(epochs: Sequence[dict[str, float]]) -> Sequence[dict[str, float]]:
    """Return the rows of a run's epochs after the first tenth."""
    return epochs[int(SETTLING_SHARE * len(epochs)) :]


def zoom_to(axis: "Axes", values: Sequence[float]) -> None:
    """Limit the y axis to the finite ones of some values, with a margin."""
    values = [value for value in values if math.isfinite(value)]
    if values and max(values) > min(values):
        margin = 0.05 * (max(values) - min(values))
        axis.set_ylim(min(values) - margin, max(values) + margin)

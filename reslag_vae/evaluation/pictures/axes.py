"""Plain axes for curves, with the legend below."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (7.5, 4.2)  # inches


def empty_axes(x: str, y: str) -> tuple["Figure", "Axes"]:
    """Return a figure with one pair of labelled axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained", facecolor="white")
    axis = figure.subplots()
    axis.set_xlabel(x, fontsize=10)
    axis.set_ylabel(y, fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def add_legend(figure: "Figure") -> None:
    """Add a legend below the axes, where it covers nothing."""
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)


def log_if_wide(axis: "Axes", name: Literal["x", "y"], values: Sequence[float]) -> None:
    """Make a scale logarithmic if its values are positive and span more than a decade."""
    from matplotlib.ticker import LogLocator, NullFormatter

    if values and min(values) > 0 and max(values) > 10 * min(values):
        axis.set(**{f"{name}scale": "log"})
        scale = axis.xaxis if name == "x" else axis.yaxis
        scale.set_major_locator(LogLocator(subs=(1, 2, 5)))
        scale.set_major_formatter("{x:g}")
        scale.set_minor_formatter(NullFormatter())

"""Plots of a study, as SVG."""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reslag_vae.evaluation.pictures.axes import add_legend, empty_axes
from reslag_vae.evaluation.pictures.figures import default_settings, drawable
from reslag_vae.evaluation.pictures.palette import COLORS
from reslag_vae.evaluation.pictures.rates import RatePoint, rate_distortion
from reslag_vae.studies.report.finished import Finished
from reslag_vae.studies.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The share of the epochs, the first ones, that the scale of a curve does not have to show: they are
# far off.
CALM = 0.1


@default_settings()
def svg(figure: "Figure") -> bytes:
    """The figure, always the same bytes for the same figure."""
    import matplotlib

    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "reslag_vae", "svg.fonttype": "none"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


@default_settings()
def curves(rows: Sequence[Row], name: str, label: str) -> "Figure":
    """A number of metrics.csv over training: the mean over seeds of each row, and each seed thinly.

    Colours are those of `rates`; dashed under `sigma_optimal`.

    Args:
        rows: of a data set.
        name: of the number, such as `val/rec`; rows without it are left out.
        label: of the axis.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axis = empty_axes("epoch", label)
    for number, row in enumerate(rows):
        draw_row(axis, row, name, number)
    zoom(axis, [own[name] for row in rows for run in row.runs for own in calm(run) if name in own])
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    add_legend(figure)
    return figure


def draw_row(axis: "Axes", row: Row, name: str, number: int) -> None:
    """A line with its name, and thin ones."""
    color = COLORS[number % len(COLORS)]
    style = "--" if row.objective == "sigma_optimal" else "-"
    histories = [
        [(own["epoch"], own[name]) for own in run.history if name in own] for run in row.runs
    ]
    seeds = [np.array(points) for points in histories if points]
    if not seeds:
        return
    length = min(map(len, seeds))
    mean = np.mean([points[:length] for points in seeds], axis=0)
    # With markers, because a single epoch has no line.
    axis.plot(
        *mean.T,
        color=color,
        linestyle=style,
        linewidth=1.6,
        marker=".",
        markersize=3,
        label=drawable(row.title),
    )
    for points in seeds if len(seeds) > 1 else ():
        axis.plot(*points.T, color=color, linestyle=style, linewidth=0.5, alpha=0.5)


def calm(run: Finished) -> list[dict[str, float]]:
    """The epochs after the first ones."""
    return run.history[int(CALM * len(run.history)) :]


def zoom(axis: "Axes", values: Sequence[float]) -> None:
    """To these values."""
    values = [value for value in values if math.isfinite(value)]
    if values and max(values) > min(values):
        margin = 0.05 * (max(values) - min(values))
        axis.set_ylim(min(values) - margin, max(values) + margin)


def rates(rows: Sequence[Row], pca: float | None) -> "Figure":
    """Rate against distortion, a point for each run; runs that differ in beta are joined."""
    points = [
        RatePoint(
            title_in_sweep(row), rate_of(run), float(run.result["test"]["rec"]), beta_of(row, run)
        )
        for row in rows
        for run in row.runs
    ]
    return rate_distortion(points, pca)


def title_in_sweep(row: Row) -> str:
    """One title for all rows of a sweep of beta, so that they are a curve."""
    return ", ".join(part for part in row.title.split(", ") if not part.startswith("beta "))


def beta_of(row: Row, run: Finished) -> float | None:
    """Of a row that is told by it."""
    swept = any(axis.startswith("beta ") for axis in row.axes)
    return float(run.config["objective"]["beta"]) if swept else None


def rate_of(run: Finished) -> float | None:
    """KL in nats; None where the posterior is a point."""
    value = run.result["test"].get("kl")
    return None if value is None else float(value)

"""Plots of a study, as SVG."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reslag_vae.evaluation.pictures.axes import add_legend, empty_axes, settled, zoom_to
from reslag_vae.evaluation.pictures.figures import default_settings, drawable
from reslag_vae.evaluation.pictures.palette import COLORS
from reslag_vae.evaluation.pictures.rates import NLL, RatePoint, rate_distortion
from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@default_settings()
def svg(figure: "Figure") -> bytes:
    """Return a figure as SVG, always the same bytes for the same figure."""
    import matplotlib

    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "reslag_vae", "svg.fonttype": "none"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


@default_settings()
def curves(rows: Sequence[Row], name: str, label: str) -> "Figure":
    """Draw a number of metrics.csv over training: each row's mean over seeds, and each seed.

    Single seeds are thin lines. Colours are those of `rates`; lines under `sigma_optimal` are
    dashed.

    Args:
        rows: rows of a data set.
        name: name of the number, such as `val/rec`; rows without it are left out.
        label: label of the axis.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axis = empty_axes("epoch", label)
    for number, row in enumerate(rows):
        draw_row(axis, row, name, number)
    epochs = [epoch for row in rows for run in row.runs for epoch in settled(run.history)]
    zoom_to(axis, [epoch[name] for epoch in epochs if name in epoch])
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    add_legend(figure)
    return figure


def draw_row(axis: "Axes", row: Row, name: str, number: int) -> None:
    """Draw a row's mean over seeds as a named line, and its seeds as thin ones."""
    color = COLORS[number % len(COLORS)]
    style = "--" if row.objective == "sigma_optimal" else "-"
    histories = [curve_of(run, name) for run in row.runs]
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
        markersize=7 if length == 1 else 3,
        label=drawable(row.title),
    )
    for points in seeds if len(seeds) > 1 else ():
        mark = "." if length == 1 else ""
        axis.plot(*points.T, color=color, linestyle=style, linewidth=0.5, alpha=0.5, marker=mark)


def curve_of(run: FinishedRun, name: str) -> list[tuple[float, float]]:
    """Return (epoch, value) of each epoch with a value of that name."""
    return [(epoch["epoch"], epoch[name]) for epoch in run.history if name in epoch]


def rates(rows: Sequence[Row], pca: float | None) -> "Figure":
    """Draw rate against distortion, a point for each run; runs that differ in beta are joined.

    The distortion is Rec, of those rows that have one, or of others alone -log p(x|z).
    """
    with_rec = [row for row in rows if row.runs[0].has_mean]
    if with_rec:
        return rate_distortion(points_of(with_rec, "rec"), pca)
    return rate_distortion(points_of(rows, "distortion"), label=NLL)


def points_of(rows: Sequence[Row], distortion: str) -> list[RatePoint]:
    """Return a point for each run, with a distortion by its name in metrics.json."""
    return [
        RatePoint(
            title_in_sweep(row),
            rate_of(run),
            float(run.result["test"][distortion]),
            beta_of(row, run),
        )
        for row in rows
        for run in row.runs
    ]


def title_in_sweep(row: Row) -> str:
    """Return one title for all rows of a sweep of beta, so that they form a curve."""
    return ", ".join(part for part in row.title.split(", ") if not part.startswith("beta "))


def beta_of(row: Row, run: FinishedRun) -> float | None:
    """Return a run's beta if its row is one of a sweep of beta, else None."""
    swept = any(axis.startswith("beta ") for axis in row.axes)
    return float(run.config["objective"]["beta"]) if swept else None


def rate_of(run: FinishedRun) -> float | None:
    """Return a run's KL in nats; None if the posterior is a point."""
    value = run.result["test"].get("kl")
    return None if value is None else float(value)

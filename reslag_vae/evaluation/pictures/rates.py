"""Plots of rate against distortion."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from reslag_vae.evaluation.pictures.axes import add_legend, empty_axes, log_if_wide
from reslag_vae.evaluation.pictures.figures import default_settings, drawable
from reslag_vae.evaluation.pictures.palette import COLORS, MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIMIT = "#4d4d4d"

# Labels of the distortion's axis
REC = "distortion: Rec per image\n(sum of squared errors)"
NLL = "distortion: -log p(x|z)\n(nats per image)"


class RatePoint(NamedTuple):
    """A run on the plane of rate and distortion.

    Attributes:
        title: title of the run's model.
        rate: KL in nats per image; None if the posterior is a point.
        distortion: of an image, as the axis says.
        beta: beta of a run in a sweep; None otherwise.
    """

    title: str
    rate: float | None
    distortion: float
    beta: float | None = None


@default_settings()
def rate_distortion(
    points: Sequence[RatePoint], pca: float | None = None, label: str = REC
) -> "Figure":
    """Draw rate against distortion, where the lower left is better.

    Alemi et al. 2018, https://arxiv.org/abs/1711.00464. A model has one colour and one marker,
    named in the legend. Its runs of a sweep are joined in the order of their beta, which stands
    beside each. A model without a rate is a dotted line. An axis whose values span more than a
    decade is logarithmic.

    Args:
        points: runs, in any order.
        pca: distortion of as many principal components as codes have numbers, drawn as a dashed
            line; None leaves it out.
        label: of the axis of the distortion.
    """
    figure, axis = empty_axes("rate: KL (nats per image)", label)
    for number, title in enumerate(dict.fromkeys(point.title for point in points)):
        draw_model(axis, [point for point in points if point.title == title], number)
    if pca is not None:
        axis.axhline(pca, color=LIMIT, linestyle="--", linewidth=1.2, label="PCA, the linear limit")
    axis.margins(0.1)
    distortions = [point.distortion for point in points]
    log_if_wide(axis, "y", distortions if pca is None else [*distortions, pca])
    rates = [point.rate for point in points if point.rate is not None]
    log_if_wide(axis, "x", rates)
    if not rates:
        axis.set_xticks([])
    add_legend(figure)
    return figure


def draw_model(axis: "Axes", runs: Sequence[RatePoint], number: int) -> None:
    """Draw the runs of one model, with the colour and marker of that number."""
    title, color = drawable(runs[0].title), COLORS[number % len(COLORS)]
    rated = [(run.rate, run.distortion) for run in runs if run.rate is not None]
    if rated:
        marker = MARKERS[number % len(MARKERS)]
        axis.plot(
            [rate for rate, _ in rated],
            [rec for _, rec in rated],
            color=color,
            marker=marker,
            linestyle="",
            zorder=3,
            label=title,
        )
    unrated = [run.distortion for run in runs if run.rate is None]
    if unrated:
        whole = axis.get_yaxis_transform()
        axis.hlines(
            unrated, 0, 1, transform=whole, color=color, linestyle=":", label=f"{title}, no rate"
        )
    sweep = [
        (run.beta, run.rate, run.distortion)
        for run in runs
        if run.beta is not None and run.rate is not None
    ]
    draw_sweep(axis, sorted(sweep), color)


def draw_sweep(axis: "Axes", sweep: Sequence[tuple[float, float, float]], color: str) -> None:
    """Draw a line through the (beta, rate, distortion) of some runs, below their markers."""
    axis.plot([rate for _, rate, _ in sweep], [rec for *_, rec in sweep], color=color, linewidth=1)
    for beta, rate, rec in sweep:
        # To the lower left of a falling convex curve, above lines and beneath markers.
        words = axis.annotate(f"β {beta:g}", (rate, rec), (-5, -5), textcoords="offset points")
        words.set(fontsize=10, zorder=2.5)
        words.set(
            ha="right", va="top", bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        )

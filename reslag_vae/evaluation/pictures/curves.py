"""Curves of the likelihood variance over training."""

from typing import TYPE_CHECKING

import numpy as np

from reslag_vae.evaluation.pictures.axes import add_legend, empty_axes, log_if_wide
from reslag_vae.evaluation.pictures.figures import default_settings, drawable
from reslag_vae.evaluation.pictures.palette import COLORS, DASHES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIGMA2_KEYS = ("epoch", "sigma2/mean", "sigma2/std", "sigma2/min", "sigma2/max")


@default_settings()
def sigma2_curves(models: dict[str, list[dict[str, float]]]) -> "Figure":
    """Draw the likelihood variance of each epoch's minibatches, as in Figure 5 of the thesis.

    The mean is a line, one standard deviation to each side a band, and the smallest and largest
    values are thin lines. The scale is logarithmic if they span more than a decade.

    Args:
        models: rows by title, one for each epoch, with `epoch` and `sigma2/mean`, `std`, `min` and
            `max`, as in `metrics.csv`.

    Raises:
        KeyError: a row lacks one of these values.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axis = empty_axes(
        "epoch", "likelihood variance σ² of minibatches\nmean ± standard deviation, extremes"
    )
    extremes: list[float] = []
    for number, (title, rows) in enumerate(models.items()):
        color, dashes = COLORS[number % len(COLORS)], DASHES[number % len(DASHES)]
        table = np.array([[row[key] for key in SIGMA2_KEYS] for row in rows], dtype=float)
        epochs, mean, std, low, high = table.T
        extremes += [*low, *high]
        axis.fill_between(epochs, mean - std, mean + std, color=color, alpha=0.2, linewidth=0)
        # With markers, because a single epoch has no line.
        axis.plot(
            epochs,
            np.stack([low, high], axis=1),
            color=color,
            linewidth=0.6,
            marker=".",
            markersize=5 if len(epochs) == 1 else 1.5,
        )
        axis.plot(
            epochs,
            mean,
            color=color,
            linestyle=dashes,
            linewidth=1.8,
            marker=".",
            markersize=10 if len(epochs) == 1 else 4,
            label=drawable(title),
        )
    log_if_wide(axis, "y", extremes)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    add_legend(figure)
    return figure

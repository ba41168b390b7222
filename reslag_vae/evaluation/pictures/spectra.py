"""Plots of power over spatial frequency."""

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from reslag_vae.evaluation.pictures.axes import add_legend, empty_axes
from reslag_vae.evaluation.pictures.figures import default_settings, drawable
from reslag_vae.evaluation.pictures.palette import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The upper half of spatial frequencies, whose power is the sharpness.
UPPER = (0.25, 0.5)
SHADE, SHADE_LABEL = "#f0f0f0", "upper half, whose power is the sharpness"
STYLES = ("-", "--", ":")


@default_settings()
def power_spectra(
    frequencies: Tensor, originals: Tensor, models: dict[str, dict[str, Tensor]]
) -> "Figure":
    """Draw radial power spectra on a logarithmic scale: the originals' in black, and each model's.

    A model has one colour, and each source of its images one style of lines. The upper half of
    frequencies is shaded. Powers of 0 are left out.

    Args:
        frequencies: (R,) cycles per pixel.
        originals: (R,) mean powers of the original images.
        models: (R,) mean powers by title, then by source, such as "reconstructions".
    """
    figure, axis = empty_axes(
        "radial frequency (cycles per pixel)", "power\n(white noise: its variance)"
    )
    axis.axvspan(*UPPER, color=SHADE, zorder=0, label=SHADE_LABEL)
    draw_powers(axis, frequencies, originals, color="black", label="originals", linewidth=2.0)
    for number, (title, sources) in enumerate(models.items()):
        color = COLORS[number % len(COLORS)]
        for style, (source, powers) in zip(STYLES, sources.items(), strict=False):
            label = drawable(f"{title}, {source}")
            draw_powers(axis, frequencies, powers, color=color, label=label, linestyle=style)
    scale_powers(axis)
    axis.set_xlim(0, UPPER[1])
    add_legend(figure)
    return figure


def draw_powers(axis: "Axes", frequencies: Tensor, powers: Tensor, **options: Any) -> None:
    """Draw a line through the positive ones of (R,) powers at (R,) frequencies."""
    values = powers.double().numpy()
    shown = np.where(values > 0, values, np.nan)
    # With markers, because a single frequency has no line.
    axis.plot(frequencies.numpy(), shown, marker=".", markersize=4, **options)


def scale_powers(axis: "Axes") -> None:
    """Make the scale of drawn powers logarithmic, if any is positive."""
    from matplotlib.ticker import NullFormatter

    if any(np.isfinite(line.get_ydata()).any() for line in axis.lines):
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())

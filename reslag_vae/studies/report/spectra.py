"""The radial power spectra of the originals and of every system, in one figure."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from reslag_vae._runtime.escape import file_name
from reslag_vae.evaluation.pictures.axes import POINTS, add_legend, make_log
from reslag_vae.evaluation.pictures.figures import default_settings, drawable
from reslag_vae.evaluation.pictures.palette import COLORS, DASHES
from reslag_vae.evaluation.pictures.spectra import (
    SHADE,
    SHADE_LABEL,
    UPPER,
    draw_powers,
    scale_powers,
)
from reslag_vae.studies.report.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The sources of a system's images, each with axes of its own.
SOURCES = ("reconstructions", "samples")
WIDTH, HEIGHT, LEGEND = 7.5, 3.6, 0.15  # inches: of the figure, of axes, of a row's name
CAPTION = (
    "Power over spatial frequency (white noise has its variance), means over seeds. Sharpness is "
    "the power in the shaded upper half beside that of the originals."
)

# The (R,) frequencies and powers of a row, by source.
Spectra = dict[str, np.ndarray]


def spectra_file(data: str) -> str:
    """Return the name of the figure of a data set."""
    return f"spectra_{file_name(data)}.png"


def spectra_of(row: Row) -> Spectra | None:
    """Return the means of a row's spectra over its seeds; None if a run has none.

    Images of one pixel have no frequency.
    """
    runs = [run.spectra for run in row.runs]
    counts = {len(own.get("frequencies", ())) for own in runs}
    if len(counts) > 1 or counts == {0}:
        return None
    names = set.intersection(*(set(own) for own in runs))
    return {name: np.mean([own[name] for own in runs], axis=0) for name in names}


def of_same_originals(rows: Sequence[Row]) -> dict[int, Spectra]:
    """Return the spectra of the rows that were evaluated on the same images as most, by position.

    The originals' own spectrum says which images they are.
    """
    found = {number: own for number, row in enumerate(rows) if (own := spectra_of(row))}

    def alike(one: Spectra) -> dict[int, Spectra]:
        return {
            number: own
            for number, own in found.items()
            if own["originals"].shape == one["originals"].shape
            and np.allclose(own["originals"], one["originals"], rtol=1e-6, atol=0, equal_nan=True)
        }

    return max(map(alike, found.values()), key=len, default={})


def left_out(rows: Sequence[Row]) -> str:
    """Return a sentence on the rows that the figure does not show; empty where it shows all.

    Args:
        rows: rows of one data set.
    """
    shown = of_same_originals(rows)
    missing = [row.title for number, row in enumerate(rows) if number not in shown]
    if not missing:
        return ""
    return (
        "Not in the figure, since their evaluations have no spectra of these images: "
        f"{'; '.join(missing)}."
    )


@default_settings()
def power_spectra(rows: Sequence[Row]) -> "Figure | None":
    """Draw the powers of the originals and of each row over frequency, both scales logarithmic.

    Reconstructions are above, samples below. Colours are those of `plots.curves`. It is None if no
    row has spectra, as those that were evaluated by an earlier version.

    Args:
        rows: rows of one data set.
    """
    from matplotlib.figure import Figure

    found = of_same_originals(rows)
    if not found:
        return None
    first = next(iter(found.values()))
    sources = [name for name in SOURCES if any(name in own for own in found.values())]
    size = (WIDTH, HEIGHT * len(sources) + LEGEND * len(found))
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    axes = figure.subplots(len(sources), sharex=True, squeeze=False)[:, 0]
    for axis, source in zip(axes, sources, strict=True):
        axis.axvspan(*UPPER, color=SHADE, zorder=0, label=SHADE_LABEL)
        draw(axis, first, "originals", {"color": "black", "linewidth": 2.0})
        for number, own in found.items():
            if source in own:
                draw(axis, own, source, style_of(number), rows[number].title)
        axis.set_ylabel(f"power of {source}", fontsize=POINTS)
        axis.tick_params(labelsize=POINTS - 1)
        axis.spines[["top", "right"]].set_visible(False)
        scale_powers(axis)
    make_log(axes[-1], "x")
    axes[-1].set_xlim(first["frequencies"][0] / 1.1, UPPER[1])
    axes[-1].set_xlabel("radial frequency (cycles per pixel)", fontsize=POINTS)
    name_once(axes)
    add_legend(figure)
    return figure


def draw(
    axis: "Axes", spectra: Spectra, source: str, style: dict[str, Any], title: str = ""
) -> None:
    """Draw one of several spectra, with a title or the name of its source."""
    frequencies, powers = (torch.from_numpy(spectra[name]) for name in ("frequencies", source))
    draw_powers(axis, frequencies, powers, label=drawable(title or source), **style)


def style_of(number: int) -> dict[str, Any]:
    """Return colour and dashes of a row by its position: dashes tell rows of one colour apart."""
    dashes = DASHES[number // len(COLORS) % len(DASHES)]
    return {"color": COLORS[number % len(COLORS)], "linestyle": dashes}


def name_once(axes: Iterable["Axes"]) -> None:
    """Leave each name in the legend once."""
    seen: set[object] = set()
    for drawn in chain.from_iterable((*axis.patches, *axis.lines) for axis in axes):
        if drawn.get_label() in seen:
            drawn.set_label("_")
        seen.add(drawn.get_label())

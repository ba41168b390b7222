"""Pictures with matplotlib, drawn without a display and independent of the user's settings."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from reslag_vae.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACTIVE, INACTIVE = "#1f77b4", "#c7c7c7"


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a PNG; an existing file is replaced as a whole."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    write_atomically(path, data.getvalue())


def image_grid(rows: list[tuple[str, Tensor]], title: str, columns: int = 8) -> "Figure":
    """Labelled rows of images. Rows of more than `columns` images are broken, and then stay interleaved.

    Args:
        rows: (label, (N, C, H, W) images in [0, 1]), all of equal N.
        title: above the grid.
        columns: images in a line.
    """
    from matplotlib.figure import Figure

    count = len(rows[0][1])
    lines = [(label, images[i : i + columns]) for i in range(0, count, columns) for label, images in rows]
    width = min(columns, count)
    figure = Figure(figsize=(1.2 + width, 0.45 + len(lines)), layout="constrained")
    axes = figure.subplots(len(lines), width, squeeze=False)
    for line, (label, images) in zip(axes, lines, strict=True):
        for axis in line:
            axis.set_axis_off()
        for axis, image in zip(line, images, strict=False):
            axis.imshow(as_pixels(image), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        line[0].text(
            -0.12, 0.5, label, transform=line[0].transAxes, ha="right", va="center", fontsize=8, in_layout=True
        )
    figure.suptitle(title, fontsize=10)
    return figure


def as_pixels(image: Tensor) -> np.ndarray:
    """(C, H, W) in [0, 1] to what imshow takes: (H, W) or (H, W, 3)."""
    pixels = image.detach().float().clamp(0, 1).cpu().numpy()
    return pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)


def kl_bars(kl: np.ndarray, active: np.ndarray, title: str) -> "Figure":
    """KL of each latent dimension in nats, largest first; inactive units in grey.

    Args:
        kl: (d,) nats.
        active: (d,) bool.
        title: above the bars.
    """
    from matplotlib.figure import Figure

    order = np.argsort(-kl)
    figure = Figure(figsize=(7, 3), layout="constrained")
    axis = figure.subplots()
    axis.bar(np.arange(len(kl)), kl[order], color=np.where(active[order], ACTIVE, INACTIVE), width=1.0)
    axis.set(xlabel="latent dimension, largest KL first", ylabel="KL (nats)", xlim=(-0.6, len(kl) - 0.4))
    axis.set_title(title, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    return figure

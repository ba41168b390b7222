from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from reslag_vae.figures import ACTIVE, INACTIVE, as_pixels, image_grid, kl_bars, save_figure


def first_pixel(axis: Axes) -> float:
    data = axis.images[0].get_array()
    assert data is not None
    return float(np.asarray(data).flat[0])


def test_grid_keeps_broken_rows_interleaved() -> None:
    images = (torch.arange(5) / 10)[:, None, None, None].expand(5, 1, 4, 4)
    figure = image_grid([("input", images), ("output", images + 0.5)], "title", columns=3)
    axes = np.array(figure.axes).reshape(4, 3)

    assert [[round(first_pixel(a), 1) for a in row if a.images] for row in axes] == [
        [0.0, 0.1, 0.2],
        [0.5, 0.6, 0.7],
        [0.3, 0.4],
        [0.8, 0.9],
    ]
    assert [row[0].texts[0].get_text() for row in axes] == ["input", "output", "input", "output"]
    assert all(a.images[0].get_clim() == (0, 1) for a in axes.flat if a.images)


@pytest.mark.parametrize(("channels", "shape"), [(1, (4, 5)), (3, (4, 5, 3))])
def test_pixels_are_clamped_and_channels_last(channels: int, shape: tuple[int, ...]) -> None:
    image = torch.linspace(-1, 2, channels * 20).view(channels, 4, 5).requires_grad_()
    pixels = as_pixels(image)

    assert pixels.shape == shape
    assert pixels.min() == 0
    assert pixels.max() == 1
    if channels == 3:
        assert pixels[1, 2, 0] == pytest.approx(float(image[0, 1, 2].detach().clamp(0, 1)))


def test_kl_bars_are_sorted_and_inactive_ones_grey() -> None:
    figure = kl_bars(np.array([0.1, 2.0, 0.0]), np.array([True, True, False]), "title")
    bars = figure.axes[0].patches

    assert [bar.get_height() for bar in bars] == [2.0, 0.1, 0.0]  # type: ignore[attr-defined]
    assert [to_hex(bar.get_facecolor()) for bar in bars] == [ACTIVE, ACTIVE, INACTIVE]


def test_figure_is_saved_as_png(tmp_path: Path) -> None:
    save_figure(image_grid([("row", torch.rand(2, 3, 8, 8))], "title"), tmp_path / "figures" / "a.png")

    assert (tmp_path / "figures" / "a.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert [p.name for p in (tmp_path / "figures").iterdir()] == ["a.png"]

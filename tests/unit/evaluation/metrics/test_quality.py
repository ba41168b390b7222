"""The quality of reconstructions."""

import math

import pytest
import torch
from torch import Tensor, nn

from reslag_vae.data import Images
from reslag_vae.evaluation import iteration
from reslag_vae.evaluation.adapters import EncoderDecoder
from reslag_vae.evaluation.metrics.quality import Quality, compare, reconstruction_quality


def darker(factor: float, shape: tuple[int, ...]) -> EncoderDecoder:
    """Its codes are the images, its reconstructions darker ones."""
    return EncoderDecoder(nn.Flatten(), lambda latents: factor * latents.view(-1, *shape))


def pictures(count: int, side: int, channels: int = 1) -> tuple[Tensor, Tensor]:
    """Images and noisy reconstructions, in float64."""
    images = torch.rand(count, channels, side, side, dtype=torch.float64)
    return (images + 0.2 * torch.randn_like(images)).clamp(0, 1), images


def reference_ssim(a: Tensor, b: Tensor) -> float:
    """Wang et al. 2004 for one (C, H, W) pair, window by window."""
    places = torch.arange(-5, 6, dtype=torch.float64)
    line = (-places.square() / (2 * 1.5**2)).exp()
    window = torch.outer(line, line) / line.sum() ** 2
    values = []
    for x, y in zip(a, b, strict=True):
        for top in range(x.shape[0] - 10):
            for left in range(x.shape[1] - 10):
                p, q = (image[top : top + 11, left : left + 11] for image in (x, y))
                mean_p, mean_q = (window * p).sum(), (window * q).sum()
                var_p, var_q = (
                    (window * (p - mean_p) ** 2).sum(),
                    (window * (q - mean_q) ** 2).sum(),
                )
                covariance = (window * (p - mean_p) * (q - mean_q)).sum()
                luminance = (2 * mean_p * mean_q + 0.01**2) / (mean_p**2 + mean_q**2 + 0.01**2)
                values.append(luminance * (2 * covariance + 0.03**2) / (var_p + var_q + 0.03**2))
    return float(torch.stack(values).mean())


def test_mse_and_psnr_have_their_closed_form() -> None:
    images = torch.full((3, 1, 8, 8), 255, dtype=torch.uint8)
    images[1] = 0
    quality = reconstruction_quality(darker(0.9, (1, 8, 8)), images)
    assert quality.mse.dtype == torch.float64
    assert quality.mse.tolist() == pytest.approx([0.01, 0, 0.01], rel=1e-5)
    # Nothing is closer to an 8-bit image than its rounding error.
    ceiling = 10 * math.log10(12 * 255**2)
    assert quality.psnr.tolist() == pytest.approx([20, ceiling, 20], rel=1e-5)
    assert ceiling == pytest.approx(58.9, abs=0.05)


def test_ssim_is_that_of_the_paper() -> None:
    a, b = pictures(2, side=14, channels=3)
    ssim = compare(a, b).ssim
    assert ssim is not None
    assert ssim.tolist() == pytest.approx(
        [reference_ssim(x, y) for x, y in zip(a, b, strict=True)], rel=1e-9
    )
    in_float32 = compare(a.float(), b.float()).ssim
    assert in_float32 is not None
    assert in_float32.dtype == torch.float64
    torch.testing.assert_close(in_float32, ssim, atol=1e-5, rtol=0)


def test_flat_images_stay_in_range() -> None:
    # The structure is the same, so that only the means count; rounding must lift none above 1.
    levels = torch.linspace(0, 1, 64)
    flat = levels[:, None, None, None].expand(64, 1, 16, 16)
    for shift in (0, 1e-3, 0.3):
        ssim = compare(flat + shift, flat).ssim
        x, y = levels.double() + shift, levels.double()
        expected = (2 * x * y + 1e-4) / (x**2 + y**2 + 1e-4)
        assert ssim is not None
        assert ssim.max() <= 1
        torch.testing.assert_close(ssim, expected, atol=3e-3, rtol=0)


@pytest.mark.parametrize(
    ("side", "ssim", "ms_ssim"), [(10, False, False), (11, True, False), (176, True, True)]
)
def test_images_smaller_than_the_windows_have_no_similarity(
    side: int, ssim: bool, ms_ssim: bool
) -> None:
    quality = compare(*pictures(2, side))
    assert (quality.ssim is not None, quality.ms_ssim is not None) == (ssim, ms_ssim)


def test_ms_ssim_counts_negative_structure_as_nothing() -> None:
    images = pictures(2, side=176)[1]
    ms_ssim = compare(torch.stack([images[0], 1 - images[1]]), images).ms_ssim
    assert ms_ssim is not None
    assert ms_ssim.tolist() == pytest.approx([1, 0])


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randint(256, (7, 3, 12, 12), dtype=torch.uint8)
    model = darker(0.8, (3, 12, 12))
    whole = reconstruction_quality(model, images)
    monkeypatch.setattr(iteration.chunks, "__defaults__", (3,))
    monkeypatch.setattr("reslag_vae.evaluation.metrics.quality.NUMBERS", 2 * 3 * 12 * 12)
    split = reconstruction_quality(model, Images(images, torch.full((7,), -1)))
    assert_equal(whole, split)


def assert_equal(a: Quality, b: Quality) -> None:
    for x, y in zip(a, b, strict=True):
        assert (x is None) == (y is None)
        if x is not None and y is not None:
            assert x.shape == (7,)
            torch.testing.assert_close(x, y, atol=1e-6, rtol=1e-6)

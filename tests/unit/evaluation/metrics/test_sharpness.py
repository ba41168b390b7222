"""Sharpness and coherence of images whose detail is known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from reslag_vae.data import Images
from reslag_vae.evaluation import iteration
from reslag_vae.evaluation.adapters import EncoderDecoder
from reslag_vae.evaluation.metrics.sharpness import (
    Estimate,
    ReconstructionSpectra,
    coherence,
    reconstruction_sharpness,
    reconstruction_spectra,
    sample_sharpness,
    values_of_images,
)
from reslag_vae.evaluation.metrics.spectra import Spectra, spectra

SIDE = 16


def changed(change: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> EncoderDecoder:
    """Its codes are the images, its reconstructions changed ones."""
    return EncoderDecoder(nn.Flatten(), lambda latents: change(latents.view(-1, *shape)))


def compared(images: Tensor, change: Callable[[Tensor], Tensor]) -> ReconstructionSpectra:
    return reconstruction_spectra(changed(change, images.shape[1:]), images)


def value_of(found: Estimate | None) -> float:
    assert found is not None
    return found.value


def blurred(images: Tensor) -> Tensor:
    """Binomial weights 1, 2, 1 in height and in width, round the borders."""
    for axis in (-2, -1):
        images = (images.roll(1, axis) + 2 * images + images.roll(-1, axis)) / 4
    return images


def transfer(frequency: float) -> float:
    """What that blur leaves of a wave along one axis."""
    return math.cos(math.pi * frequency) ** 2


def waves(frequencies: list[tuple[int, int]]) -> Tensor:
    """Images of one wave each, with whole numbers of cycles in height and in width."""
    places = torch.arange(SIDE).double()
    images = [
        torch.cos(2 * math.pi * (ky * places[:, None] + kx * places) / SIDE + 0.3)
        for ky, kx in frequencies
    ]
    return 0.5 + 0.4 * torch.stack(images)[:, None]


@pytest.mark.parametrize("wave", [(5, 0), (0, 6), (3, 4), (-4, 5), (7, 1)])
def test_a_blur_leaves_the_square_of_its_transfer_function(wave: tuple[int, int]) -> None:
    found = compared(waves([wave]), blurred)
    ky, kx = wave
    expected = (transfer(ky / SIDE) * transfer(kx / SIDE)) ** 2
    assert reconstruction_sharpness(found) == (pytest.approx(expected, rel=1e-9), None)
    assert value_of(coherence(found)) == pytest.approx(1, rel=1e-9)


def test_of_several_images_powers_are_summed_before_they_are_divided() -> None:
    images = waves([(5, 0), (6, 2), (0, 7)])
    images = 0.5 + (images - 0.5) * torch.tensor([1.0, 0.2, 0.5]).double().view(3, 1, 1, 1)
    original, own = spectra([images]), spectra([blurred(images)])
    found = reconstruction_sharpness(compared(images, blurred))
    assert value_of(found) == pytest.approx(float(own.upper.sum() / original.upper.sum()))
    # Two independent groups of images: the numbers that samples have.
    sampled = sample_sharpness(own, original)
    assert value_of(sampled) == pytest.approx(value_of(found))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 13, 9)])
def test_contrast_is_squared_and_leaves_the_coherence(shape: tuple[int, int, int]) -> None:
    images = torch.rand(4, *shape, dtype=torch.float64)
    for factor, coherent in ((0.5, 1), (1.0, 1), (-0.5, -1)):
        found = compared(images, lambda own, factor=factor: factor * own + 0.1)
        share, correlation = reconstruction_sharpness(found), coherence(found)
        assert share == pytest.approx((factor**2, 0), rel=1e-9, abs=1e-12)
        assert correlation == pytest.approx((coherent, 0), rel=1e-9, abs=1e-12)


def test_noise_is_power_and_not_coherent() -> None:
    images = torch.rand(400, 1, 16, 16, dtype=torch.float64)
    fresh = torch.rand(400, 1, 16, 16, dtype=torch.float64)
    of_fresh = compared(images, lambda _: fresh)
    for found, expected in (
        (reconstruction_sharpness(of_fresh), 1.0),
        (coherence(of_fresh), 0.0),
        # As much noise as image: twice the power, of which half is the originals'.
        (reconstruction_sharpness(compared(images, lambda own: own + fresh)), 2.0),
        (coherence(compared(images, lambda own: own + fresh)), 0.5**0.5),
    ):
        assert found is not None
        assert found.error is not None
        assert abs(found.value - expected) < 4 * found.error < 0.1


def drawn(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Powers of originals, of reconstructions that resemble them, and cross-spectra."""
    original, other = (
        torch.rand(count, generator=generator, dtype=torch.float64) ** 2 for _ in range(2)
    )
    own = 0.3 * original + 0.1 * other
    return original, own, 0.7 * (original * own).sqrt() + 0.05 * (other - 0.3)


def test_errors_are_the_deviations_of_repeated_measurements() -> None:
    generator = torch.Generator().manual_seed(0)
    nothing = torch.zeros(60, 0)
    found: dict[str, list[Estimate]] = {"share": [], "coherence": [], "samples": []}
    for _ in range(800):
        original, own, shared = drawn(60, generator)
        pair = Spectra(original, nothing), Spectra(own, nothing)
        triple = ReconstructionSpectra(*pair, shared)
        others = Spectra(drawn(60, generator)[1], nothing)
        estimates = reconstruction_sharpness(triple), coherence(triple)
        for name, own_estimate in zip(
            found, (*estimates, sample_sharpness(others, pair[0])), strict=True
        ):
            assert own_estimate is not None
            found[name].append(own_estimate)
    for name, estimates_of in found.items():
        values = torch.tensor([own.value for own in estimates_of])
        errors = torch.tensor([own.error or 0.0 for own in estimates_of])
        assert float(errors.mean()) == pytest.approx(float(values.std()), rel=0.12), name


def test_values_of_images_have_the_spread_of_the_ratio() -> None:
    """Means of them over images drawn anew are what the ratios of those images are."""
    original, own, shared = drawn(2000, torch.Generator().manual_seed(0))
    powers = {
        "upper_power_originals": original,
        "upper_power_reconstructions": own,
        "upper_power_shared": shared,
        "upper_power_samples": own.flip(0),
    }
    found = values_of_images(powers)
    pair = Spectra(original, original[:, None]), Spectra(own, own[:, None])
    compared_ = ReconstructionSpectra(*pair, shared)
    for name, estimate in (
        ("sharpness_reconstructions", reconstruction_sharpness(compared_)),
        ("coherence_reconstructions", coherence(compared_)),
    ):
        assert estimate is not None
        assert float(found[name].mean()) == pytest.approx(estimate.value, rel=1e-12)
    ratios = {
        "sharpness_reconstructions": (lambda x, y, _, s: y.mean(-1) / x.mean(-1)),
        "coherence_reconstructions": (
            lambda x, y, z, s: z.mean(-1) / np.sqrt(x.mean(-1) * y.mean(-1))
        ),
        "sharpness_samples": (lambda x, y, z, s: s.mean(-1) / x.mean(-1)),
    }
    assert found.keys() == ratios.keys()
    data = tuple(each.numpy() for each in powers.values())
    for name, ratio in ratios.items():
        drawn_anew = stats.bootstrap(
            data, ratio, paired=True, n_resamples=2000, method="percentile", rng=0
        ).confidence_interval
        values = found[name].numpy()
        half = 1.96 * stats.sem(values)
        expected = (values.mean() - half, values.mean() + half)
        assert (drawn_anew.low, drawn_anew.high) == pytest.approx(expected, abs=0.1 * half)


def test_without_power_an_image_has_no_value() -> None:
    none, some = torch.zeros(3), torch.ones(3)
    names = [f"upper_power_{name}" for name in ("originals", "reconstructions", "shared")]
    assert values_of_images(dict(zip(names, (none, some, some), strict=True))) == {}
    found = values_of_images(dict(zip(names, (some, none, none), strict=True)))
    assert list(found) == ["sharpness_reconstructions"]
    assert values_of_images({}) == {}


def test_without_detail_there_is_no_number() -> None:
    blank, detailed = torch.full((3, 1, 8, 8), 0.1), torch.rand(3, 1, 8, 8)
    of_blank = compared(blank, lambda own: own + detailed)
    assert reconstruction_sharpness(of_blank) is None
    assert coherence(of_blank) is None
    assert sample_sharpness(spectra([detailed]), spectra([blank])) is None
    to_blank = compared(detailed, lambda own: 0 * own)
    assert reconstruction_sharpness(to_blank) == (0, 0)
    assert coherence(to_blank) is None
    pixels = compared(torch.rand(3, 1, 1, 1), lambda own: own)
    assert reconstruction_sharpness(pixels) is None


def test_one_image_has_no_error() -> None:
    found = compared(torch.rand(1, 3, 8, 8, dtype=torch.float64), lambda own: own / 2)
    assert reconstruction_sharpness(found) == (pytest.approx(0.25), None)
    assert coherence(found) == (pytest.approx(1), None)
    assert sample_sharpness(found.reconstructions, found.originals) == (pytest.approx(0.25), None)


def test_nothing_depends_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randint(256, (11, 3, 13, 9), dtype=torch.uint8)
    model = changed(lambda own: own**2, (3, 13, 9))
    whole = reconstruction_spectra(model, images)
    monkeypatch.setattr(iteration, "CHUNK", 4)
    split = reconstruction_spectra(model, Images(images, torch.full((11,), -1)))
    torch.testing.assert_close(split.shared, whole.shared, rtol=1e-9, atol=1e-15)
    for own, other in ((split[0], whole[0]), (split[1], whole[1])):
        torch.testing.assert_close(own.upper, other.upper, rtol=1e-9, atol=0)
        torch.testing.assert_close(own.radial, other.radial, rtol=1e-9, atol=0)

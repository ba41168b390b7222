"""Power spectra against direct sums, in float64."""

import math

import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation import iteration
from reslag_vae.evaluation.metrics.spectra import (
    ring_frequencies,
    rings,
    shared_power,
    spectra,
    spectra_of,
    transform,
    upper_half,
)

SHAPES = [(1, 28, 28), (3, 28, 28), (1, 13, 9), (3, 8, 8), (2, 2, 3)]


def noise(count: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, *shape, generator=generator, dtype=torch.float64)


def signed_frequencies(count: int) -> list[float]:
    """Cycles per pixel of each place of a transform."""
    return [(k if 2 * k <= count else k - count) / count for k in range(count)]


def radius(height: int, width: int) -> Tensor:
    """(H, W) radial frequencies, one by one."""
    rows, columns = signed_frequencies(height), signed_frequencies(width)
    return torch.tensor([[math.hypot(y, x) for x in columns] for y in rows]).double()


def direct_transform(images: Tensor) -> Tensor:
    """The sum over all pixels for each frequency, with the window written out."""
    height, width = images.shape[-2:]
    windows = [
        [0.5 - 0.5 * math.cos(2 * math.pi * (n + 0.5) / count) for n in range(count)]
        for count in (height, width)
    ]
    down, across = (torch.tensor(values, dtype=torch.float64) for values in windows)
    window = torch.outer(down, across)
    centred = (images - images.flatten(2).mean(2)[:, :, None, None]) * window
    waves = [
        torch.exp(-2j * math.pi * torch.outer(torch.arange(n), torch.arange(n)).double() / n)
        for n in (height, width)
    ]
    sums = torch.einsum("ky,bcyx,lx->bckl", waves[0], centred.to(waves[0].dtype), waves[1])
    return sums / window.square().sum().sqrt()


@pytest.mark.parametrize("shape", SHAPES)
def test_transform_and_powers_are_those_of_the_direct_sum(shape: tuple[int, int, int]) -> None:
    images, others = noise(4, *shape), noise(5, *shape)[:4]
    expected, other = direct_transform(images), direct_transform(others)
    torch.testing.assert_close(transform(images), expected, rtol=1e-9, atol=1e-12)

    frequency = radius(*shape[1:])
    upper = (frequency > 0.25 - 1e-9) & (frequency < 0.5 + 1e-9)
    powers = expected.abs().square().mean(1)
    own = spectra_of(transform(images))
    torch.testing.assert_close(own.upper, powers[:, upper].mean(1), rtol=1e-9, atol=0)
    cross = (expected * other.conj()).real.mean(1)[:, upper].mean(1)
    torch.testing.assert_close(
        shared_power(transform(images), transform(others)), cross, rtol=1e-9, atol=1e-12
    )
    shorter = min(shape[1:])
    for ring in range(1, shorter // 2 + 1):
        near = (frequency * shorter - ring).abs() < 0.5
        if ring == shorter // 2:  # an odd side ends below 0.5
            near = frequency * shorter > ring - 0.5
        inside = near & (frequency < 0.5 + 1e-9)
        expected_ring = powers[:, inside].mean(1)
        torch.testing.assert_close(own.radial[:, ring - 1], expected_ring, rtol=1e-9, atol=0)


def test_the_upper_half_has_its_ends_and_not_the_corners() -> None:
    upper = upper_half(20, 20)
    # 3/20 and 4/20 make 5/20; 6/20 and 8/20 make 10/20.
    for inside in ((5, 0), (0, 5), (3, 4), (-4, 3), (10, 0), (6, 8)):
        assert upper[inside], inside
    for outside in ((0, 0), (4, 0), (3, 3), (10, 1), (8, 7), (10, 10)):
        assert not upper[outside], outside
    assert upper_half(28, 28)[7, 0]
    assert not upper_half(1, 1).any()


def test_rings_lie_about_even_frequencies_and_are_never_empty() -> None:
    for height, width in ((28, 28), (13, 9), (2, 5), (64, 64)):
        found = rings(height, width)
        count = min(height, width) // 2
        assert torch.equal(found.unique(), torch.arange(count + 1))
        frequencies = ring_frequencies(height, width)
        assert len(frequencies) == count
        along = found[0] if width <= height else found[:, 0]
        assert along[1 : count + 1].tolist() == list(range(1, count + 1))
    assert ring_frequencies(28, 28)[-1] == 0.5
    assert ring_frequencies(13, 9)[-1] == pytest.approx(4 / 9)


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 13, 9)])
def test_white_noise_has_a_flat_spectrum_of_its_variance(shape: tuple[int, int, int]) -> None:
    found = spectra([0.3 * noise(4000, *shape)])
    for values in (found.upper[:, None], found.radial[:, 1:]):  # the mean is taken out of ring 1
        errors = values.std(0) / len(values) ** 0.5
        assert ((values.mean(0) - 0.09).abs() < 4.5 * errors).all()
        assert (errors < 0.003).all()


def test_a_gradient_of_grey_is_no_detail() -> None:
    ramp = torch.linspace(0, 1, 32).double().expand(1, 1, 32, 32)
    for image in (ramp, ramp.mT, ramp + ramp.mT):
        found = spectra([image])
        assert float(found.upper) < 1e-5 * float(found.radial[0, 0])


def test_turned_and_mirrored_images_have_the_same_powers() -> None:
    images = noise(3, 2, 12, 12)
    expected = spectra([images])
    for moved in (images.flip(-1), images.flip(-2), images.rot90(1, (-2, -1)), 5 - images):
        for own, other in zip(spectra([moved]), expected, strict=True):
            torch.testing.assert_close(own, other, rtol=1e-9, atol=0)


def test_powers_do_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise(11, 3, 13, 9)
    whole = spectra([images])
    monkeypatch.setattr(iteration, "CHUNK", 3)
    for parts in ([images], torch.split(images, 4), list(images[:, None])):
        found = spectra(parts)
        assert found.upper.shape == (11,)
        assert found.radial.shape == (11, 4)
        for own, other in zip(found, whole, strict=True):
            torch.testing.assert_close(own, other, rtol=1e-12, atol=0)


def test_uniform_images_have_no_power() -> None:
    found = spectra([torch.full((2, 3, 28, 28), 0.1)])
    assert float(found.upper.max()) < 1e-28
    assert float(found.radial.max()) < 1e-28

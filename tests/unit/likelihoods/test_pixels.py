"""What numbers of pixels mean."""

import math

import pytest
import torch

from reslag_vae.likelihoods.pixels import bits_per_dim, eight_bits, unit_interval


def test_uint8_becomes_float32_in_the_unit_interval() -> None:
    grey = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    images = unit_interval(grey)

    assert images.dtype == torch.float32
    torch.testing.assert_close(
        images.double().flatten(), torch.arange(256, dtype=torch.float64) / 255, rtol=1e-7, atol=0
    )
    assert torch.equal((images * 255).round().to(torch.uint8), grey)
    assert grey.flatten()[255] == 255, "the batch itself was changed"


def test_eight_bits_are_those_of_the_unit_interval() -> None:
    grey = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    for dtype in (torch.float32, torch.float64):
        assert torch.equal(eight_bits(unit_interval(grey).to(dtype)), grey)
    beyond = torch.tensor([-0.1, 1.1, 0.4999 / 255, 0.5001 / 255])
    assert eight_bits(beyond).tolist() == [0, 255, 0, 1]


def test_floating_point_is_returned_as_it_is() -> None:
    for dtype in (torch.float16, torch.float32, torch.float64):
        images = torch.rand(2, 1, 3, 3).to(dtype)
        assert unit_interval(images) is images


@pytest.mark.parametrize(("levels", "bits"), [(1, 8.0), (2, 7.0), (128, 1.0), (256, 0.0)])
@pytest.mark.parametrize("dimensions", [1, 3072])
def test_bits_per_dim_of_a_uniform_density(levels: int, bits: float, dimensions: int) -> None:
    # Uniform on 1/levels of [0, 1]: density `levels`; it leaves 256 / levels of the grey values
    # open.
    assert bits_per_dim(dimensions * math.log(levels), dimensions) == pytest.approx(bits, abs=1e-12)


@pytest.mark.parametrize(("values", "bits"), [(1, 0.0), (2, 1.0), (256, 8.0)])
@pytest.mark.parametrize("dimensions", [1, 3072])
def test_bits_per_dim_of_an_even_mass(values: int, bits: float, dimensions: int) -> None:
    nats = -dimensions * math.log(values)
    assert bits_per_dim(nats, dimensions, discrete=True) == pytest.approx(bits, abs=1e-12)

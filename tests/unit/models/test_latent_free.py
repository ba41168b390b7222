"""A likelihood alone: a model of no latents."""

import pytest
import torch

from reslag_vae.likelihoods import Bernoulli, PixelCNN
from reslag_vae.models import LatentFree

SHAPE = (1, 4, 5)


def build() -> LatentFree:
    torch.manual_seed(0)
    return LatentFree(PixelCNN(SHAPE, channels=4, layers=2, parameters_per_channel=0)).eval()


@torch.no_grad()
def test_its_codes_are_of_no_numbers_and_its_images_samples() -> None:
    model = build()
    codes = model.encode(torch.rand(3, *SHAPE).round())
    assert codes.shape == (3, 0)
    assert model.latent_dim == 0
    # The same random numbers at each call, unless a generator is given.
    assert torch.equal(model.decode(codes), model.decode(codes))
    assert torch.equal(model.decode(codes), model.sample(3, torch.Generator().manual_seed(0)))
    other = model.decode(codes, torch.Generator().manual_seed(1))
    assert not torch.equal(model.decode(codes), other)


@torch.no_grad()
def test_nothing_is_inferred_and_that_costs_nothing() -> None:
    images = torch.rand(3, *SHAPE).round()
    inferred = build().infer(images)
    assert torch.equal(inferred.log_ratio(), torch.zeros(3))
    rate = inferred.rate()
    assert rate is not None
    assert torch.equal(rate, torch.zeros(3))


@pytest.mark.parametrize("likelihood", [Bernoulli(), PixelCNN(SHAPE, layers=1)])
def test_a_likelihood_that_takes_parameters_is_refused(likelihood: PixelCNN | Bernoulli) -> None:
    with pytest.raises(ValueError, match=r"a model without latents takes .*per_channel=0"):
        LatentFree(likelihood)

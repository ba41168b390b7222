"""The Bernoulli likelihood beside PyTorch's."""

import pytest
import torch
from torch import distributions

from reslag_vae.likelihoods import Bernoulli

LOGITS = 3 * torch.randn(
    4, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
)
IMAGES = (torch.rand(LOGITS.shape, generator=torch.Generator().manual_seed(1)) < 0.5).double()


def test_an_image_costs_its_cross_entropy() -> None:
    expected = distributions.Bernoulli(logits=LOGITS).log_prob(IMAGES).flatten(1).sum(1)
    distortion = Bernoulli()(IMAGES, LOGITS)

    torch.testing.assert_close(distortion.nll, -expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(Bernoulli().log_prob(IMAGES, LOGITS), expected, rtol=1e-12, atol=0)
    assert distortion.extras == {}


def test_rec_is_the_squared_error_of_the_probabilities_and_has_no_gradient() -> None:
    leaf = LOGITS.clone().requires_grad_()
    distortion = Bernoulli()(IMAGES, leaf)
    expected = (IMAGES - LOGITS.sigmoid()).square().flatten(1).sum(1)

    torch.testing.assert_close(distortion.rec, expected, rtol=1e-12, atol=0)
    assert not distortion.rec.requires_grad
    assert distortion.nll.requires_grad


@pytest.mark.parametrize("logit", [-1e4, -100.0, 100.0, 1e4])
def test_extreme_logits_give_finite_costs_and_gradients(logit: float) -> None:
    logits = torch.full((2, 1, 2, 2), logit).requires_grad_()
    for pixel in (0.0, 1.0):
        nll = Bernoulli()(torch.full((2, 1, 2, 2), pixel), logits).nll
        (gradient,) = torch.autograd.grad(nll.sum(), logits)
        assert nll.isfinite().all()
        assert gradient.isfinite().all()


def test_divergence_is_the_mean_of_both_directions() -> None:
    first, second = (
        distributions.Bernoulli(logits=LOGITS[:2]),
        distributions.Bernoulli(logits=LOGITS[2:]),
    )
    forth = distributions.kl_divergence(first, second)
    back = distributions.kl_divergence(second, first)
    expected = (forth + back).flatten(1).sum(1) / 2

    torch.testing.assert_close(Bernoulli().divergence(LOGITS[:2], LOGITS[2:]), expected)


def test_samples_are_binary_and_come_from_the_generator() -> None:
    first = Bernoulli().sample(LOGITS, torch.Generator().manual_seed(3))
    again = Bernoulli().sample(LOGITS, torch.Generator().manual_seed(3))
    other = Bernoulli().sample(LOGITS, torch.Generator().manual_seed(4))

    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert first.dtype == LOGITS.dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, other)

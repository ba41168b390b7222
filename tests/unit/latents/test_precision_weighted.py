"""The product of two Gaussians, which is the posterior of a Ladder VAE."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from reslag_vae.latents import (
    DiagonalGaussian,
    GaussianPosterior,
    PrecisionWeightedPosterior,
    StandardNormal,
)
from reslag_vae.latents.precision_weighted import WIDE, product

COUNT, DIM = 6, 3


def draw(seed: int, scale: float = 1.0) -> DiagonalGaussian:
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = torch.randn(2, COUNT, DIM, dtype=torch.float64, generator=generator)
    return DiagonalGaussian(2 * mean, scale * log_variance)


def normal(density: DiagonalGaussian) -> Normal:
    return Normal(density.mean, (density.log_variance / 2).exp())


def test_the_product_has_the_sum_of_the_precisions_which_weigh_the_means() -> None:
    first, second = draw(1), draw(2)
    merged = product(first, second)

    precisions = 1 / first.variance, 1 / second.variance
    variance = 1 / (precisions[0] + precisions[1])
    mean = variance * (precisions[0] * first.mean + precisions[1] * second.mean)
    torch.testing.assert_close(merged.variance, variance)
    torch.testing.assert_close(merged.mean, mean)


def test_the_product_is_that_of_the_densities_integrated_numerically() -> None:
    first, second = draw(3), draw(4)
    grid = torch.linspace(-20, 20, 40_001, dtype=torch.float64)[:, None, None]
    logits = normal(first).log_prob(grid) + normal(second).log_prob(grid)
    weights = logits.softmax(0)
    mean = (weights * grid).sum(0)
    variance = (weights * (grid - mean).square()).sum(0)

    merged = product(first, second)
    torch.testing.assert_close(merged.mean, mean, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(merged.variance, variance, rtol=1e-8, atol=1e-8)


def test_precisions_at_the_ends_of_their_range_leave_finite_numbers_and_gradients() -> None:
    ends = torch.tensor([-20.0, 20.0, -20.0, 20.0])
    first = DiagonalGaussian(torch.ones(1, 4), ends[None].clone().requires_grad_())
    second = DiagonalGaussian(-torch.ones(1, 4), ends[[0, 1, 3, 2]][None].clone().requires_grad_())
    merged = product(first, second)
    (merged.mean + merged.log_variance).sum().backward()

    torch.testing.assert_close(merged.mean, torch.tensor([[0.0, 0.0, 1.0, -1.0]]))
    for density in (first, second):
        gradient = density.log_variance.grad
        assert gradient is not None
        assert gradient.isfinite().all()


def test_the_image_s_gaussian_meets_the_prior_below_the_top_and_stands_alone_at_it() -> None:
    numbers = torch.randn(COUNT, 2 * DIM, dtype=torch.float64)
    posterior, prior = PrecisionWeightedPosterior(), draw(5)
    mean, raw = numbers.chunk(2, dim=1)

    alone, merged = posterior(numbers), posterior.given(numbers, prior)
    assert torch.equal(alone.mean, mean)
    wide = DiagonalGaussian(mean, 20 * torch.tanh((raw + WIDE) / 20))
    torch.testing.assert_close(merged.mean, product(wide, prior).mean)
    torch.testing.assert_close(merged.variance, product(wide, prior).variance)


def test_an_untrained_network_leaves_the_posterior_near_the_prior() -> None:
    prior = draw(6, scale=0.0)
    merged = PrecisionWeightedPosterior().given(torch.zeros(COUNT, 2 * DIM).double(), prior)
    kl = merged.kl(DiagonalGaussian(merged.mean, prior.log_variance))
    assert (kl < 0.03).all()


def test_a_gaussian_posterior_of_its_own_does_not_hang_on_the_prior() -> None:
    numbers, posterior = torch.randn(COUNT, 2 * DIM), GaussianPosterior()
    alone, given = posterior(numbers), posterior.given(numbers, StandardNormal(DIM)())
    assert torch.equal(alone.mean, given.mean)
    assert torch.equal(alone.variance, given.variance)


def test_the_kl_of_two_gaussians_is_that_of_torch() -> None:
    first, second = draw(7), draw(8)
    kl = first.kl(second)
    torch.testing.assert_close(kl, kl_divergence(normal(first), normal(second)))


@pytest.mark.parametrize("seed", [9, 10])
def test_the_kl_of_the_merged_posterior_is_that_of_its_samples(seed: int) -> None:
    prior = draw(seed)
    merged = product(draw(seed + 20), prior)
    count = 200_000
    noise = torch.randn(count, COUNT, DIM, dtype=torch.float64)
    samples = merged.mean + merged.variance.sqrt() * noise
    ratios = each_log_prob(merged, samples) - each_log_prob(prior, samples)

    error = 5 * ratios.std(0) / math.sqrt(count)
    kl = merged.kl(prior)
    assert ((ratios.mean(0) - kl).abs() <= error).all()


def each_log_prob(density: DiagonalGaussian, samples: Tensor) -> Tensor:
    return normal(density).log_prob(samples)

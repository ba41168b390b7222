"""What every posterior promises."""

import pytest
import torch
from torch import Tensor

from reslag_vae import latents
from reslag_vae.latents import LevelPosterior, Posterior, PosteriorDensity
from tests.contracts.numbers import assert_mean, integral, standard_normal_log_prob, support
from tests.contracts.parts import LATENT_DIM, Case, every

every_posterior = every(latents, Posterior)
# Those of codes are a mass: tests/contracts/test_codes.py
every_density = every(latents, Posterior, without="codes")
every_level = every(latents, LevelPosterior)
COUNT = 4


def features_for(posterior: Posterior, dimensions: int = LATENT_DIM) -> Tensor:
    """What an inference network in float64 gives for `COUNT` images."""
    size = (COUNT, dimensions * posterior.parameters_per_latent)
    return torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def density_of(case: Case, dimensions: int = LATENT_DIM) -> PosteriorDensity:
    posterior = case.build(latent_dim=dimensions).double()
    density: PosteriorDensity = posterior(features_for(posterior, dimensions))
    return density


def is_binary(case: Case) -> bool:
    return "binary_posterior" in case.kind.provides  # type: ignore[attr-defined]


def normal(count: int, dimensions: int = LATENT_DIM) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(count, dimensions, dtype=torch.float64, generator=generator)


@every_posterior
def test_what_it_provides_says_whether_it_is_a_density(case: Case) -> None:
    posterior, density = case.build(), density_of(case)

    assert density.has_density == ("density" in posterior.provides)
    assert density.has_density != ("point" in posterior.provides)


@every_posterior
def test_without_noise_a_sample_is_the_mean_or_the_value_next_to_it(case: Case) -> None:
    density = density_of(case)
    expected = density.mean.round() if is_binary(case) else density.mean

    assert density.mean.shape == (COUNT, LATENT_DIM)
    assert torch.equal(density.rsample(torch.zeros_like(density.mean)), expected)


@every_posterior
def test_a_sample_is_a_function_of_its_noise_with_a_gradient(case: Case) -> None:
    posterior = case.build().double()
    features = features_for(posterior).requires_grad_()
    density, noise = posterior(features), normal(COUNT)
    sample = density.rsample(noise)
    (3 + sample).square().sum().backward()

    assert torch.equal(sample, density.rsample(noise))
    assert features.grad is not None
    assert features.grad.isfinite().all()
    assert (features.grad != 0).all()


@every_posterior
def test_repeated_densities_lie_next_to_each_other(case: Case) -> None:
    density, noise = density_of(case), normal(3 * COUNT)
    repeated = density.repeat(3)

    assert_same(repeated.mean, density.mean.repeat_interleave(3, 0))
    samples = repeated.rsample(noise)
    for i in range(3):
        assert torch.equal(samples[i::3], density.rsample(noise[i::3]))
        if density.has_density:
            assert_same(repeated.log_prob(samples)[i::3], density.log_prob(samples[i::3]))


def assert_same(given: Tensor, expected: Tensor) -> None:
    """To the rounding of vector instructions, which differs by a number's place in memory."""
    torch.testing.assert_close(given, expected, rtol=1e-14, atol=0)


@every_density
def test_kl_to_the_standard_normal_is_the_expected_log_ratio(case: Case) -> None:
    density = density_of(case)
    kl = density.standard_kl()
    if not density.has_density:
        assert kl is None
        with pytest.raises(TypeError, match="no density"):
            density.log_prob(density.mean)
        return
    if is_binary(case):
        assert kl is None
        return
    many = density.repeat(20_000)
    samples = many.rsample(normal(20_000 * COUNT))
    ratios = many.log_prob(samples) - standard_normal_log_prob(samples)

    # It is positive in any case; where there is a closed form, that is its mean.
    assert (ratios.view(COUNT, -1).mean(1) > 0).all()
    if kl is not None:
        assert kl.shape == (COUNT, LATENT_DIM)
        assert (kl >= 0).all()
        assert_mean(ratios.view(COUNT, -1).T, kl.sum(1))


@every_density
def test_samples_fit_a_density_that_integrates_to_one(case: Case) -> None:
    density = density_of(case, dimensions=1)
    if not density.has_density:
        assert density.log_variance is None
        return
    points = support(is_binary(case), reach=60.0)
    log_prob = density.repeat(len(points)).log_prob(points.repeat(COUNT)[:, None])
    probabilities = log_prob.view(COUNT, -1).exp()
    totals = integral(probabilities, points)
    samples = density.repeat(20_000).rsample(normal(20_000 * COUNT, dimensions=1))

    torch.testing.assert_close(totals, torch.ones_like(totals), rtol=0, atol=1e-9)
    for function in (torch.sin, torch.square):
        expected = integral(probabilities * function(points), points)
        assert_mean(function(samples).view(COUNT, -1).T, expected)


@every_level
def test_the_kl_to_a_prior_given_the_levels_above_is_the_expected_log_ratio(case: Case) -> None:
    posterior = case.build().double()
    features = features_for(posterior)
    prior = posterior.prior_of(features.flip(0))
    density = posterior.given(features, prior)
    kl = density.kl(prior)
    many, repeated = density.repeat(20_000), prior.repeat(20_000)
    samples = many.rsample(normal(20_000 * COUNT))
    ratios = many.log_probs(samples) - repeated.log_probs(samples)

    assert kl.shape == (COUNT, LATENT_DIM)
    assert (kl > 0).all()
    assert_mean(ratios.view(COUNT, 20_000, LATENT_DIM).transpose(0, 1), kl)
    assert torch.equal(prior.kl(prior), torch.zeros_like(kl))
    torch.testing.assert_close(many.log_probs(samples).sum(1), many.log_prob(samples))


@every_level
def test_parts_of_the_dimensions_join_to_the_whole(case: Case) -> None:
    posterior = case.build().double()
    density = posterior(features_for(posterior))
    first, second = density.split([1, LATENT_DIM - 1])
    joined, latents = type(density).joined([first, second]), density.rsample(normal(COUNT))

    assert torch.equal(first.mean, density.mean[:, :1])
    assert torch.equal(joined.log_probs(latents), density.log_probs(latents))
    assert torch.equal(joined.rsample(normal(COUNT)), latents)


@every_level
def test_it_provides_what_hierarchies_require(case: Case) -> None:
    assert LevelPosterior.provides <= case.build().provides

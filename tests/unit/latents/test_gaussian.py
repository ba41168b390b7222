import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from reslag_vae.latents.gaussian import (
    DiagonalGaussian,
    Point,
    aggregate_log_prob,
    mutual_information,
)


def random_posterior(count: int = 7, dimensions: int = 3) -> DiagonalGaussian:
    return DiagonalGaussian(
        torch.randn(count, dimensions, dtype=torch.float64),
        2 * torch.randn(count, dimensions, dtype=torch.float64),
    )


def reference(posterior: DiagonalGaussian) -> Normal:
    return Normal(posterior.mean, (posterior.log_variance / 2).exp())


def test_kl_is_that_of_torch() -> None:
    posterior = random_posterior()
    expected = kl_divergence(
        reference(posterior), Normal(torch.zeros((), dtype=torch.float64), 1.0)
    )

    torch.testing.assert_close(posterior.kl(), expected, rtol=1e-12, atol=1e-12)
    assert (posterior.kl() >= 0).all()


def test_kl_of_the_prior_is_zero() -> None:
    assert torch.equal(
        DiagonalGaussian(torch.zeros(2, 3), torch.zeros(2, 3)).kl(), torch.zeros(2, 3)
    )


def test_kl_is_the_expected_log_ratio() -> None:
    posterior = DiagonalGaussian(
        torch.tensor([[0.7, -1.2]]).double(), torch.tensor([[-0.5, 0.3]]).double()
    )
    many = DiagonalGaussian(*(x.expand(200_000, 2) for x in posterior))
    latents = many.sample()
    ratios = many.log_prob(latents) - Normal(0.0, 1.0).log_prob(latents).sum(-1)

    error = ratios.std() / len(ratios) ** 0.5
    assert abs(ratios.mean() - posterior.kl().sum()) < 5 * error


def test_log_prob_is_that_of_torch() -> None:
    posterior, latents = random_posterior(), 3 * torch.randn(7, 3, dtype=torch.float64)

    expected = Independent(reference(posterior), 1).log_prob(latents)
    torch.testing.assert_close(posterior.log_prob(latents), expected, rtol=1e-12, atol=1e-12)


def test_sample_is_the_reparametrised_noise() -> None:
    posterior, noise = random_posterior(), torch.randn(7, 3, dtype=torch.float64)
    expected = posterior.mean + reference(posterior).scale * noise

    torch.testing.assert_close(posterior.sample(noise), expected, rtol=1e-12, atol=1e-12)


def test_sample_has_the_moments_of_the_posterior() -> None:
    count, mean, log_variance = 100_000, torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    samples = (
        DiagonalGaussian(mean.expand(count, 2), log_variance.expand(count, 2)).sample().double()
    )
    variance = log_variance.double().exp()

    assert ((samples.mean(0) - mean).abs() < 5 * (variance / count).sqrt()).all()
    assert ((samples.var(0) - variance).abs() < 5 * variance * (2 / count) ** 0.5).all()
    assert abs(torch.corrcoef(samples.T)[0, 1]) < 5 / count**0.5


def test_two_samples_differ_and_carry_gradients() -> None:
    posterior = DiagonalGaussian(
        torch.zeros(4, 2, requires_grad=True), torch.zeros(4, 2, requires_grad=True)
    )
    first, second = posterior.sample(), posterior.sample()
    first.square().sum().backward()

    assert not torch.equal(first, second)
    assert posterior.mean.grad is not None
    assert posterior.mean.grad.abs().min() > 0
    assert posterior.log_variance.grad is not None
    assert posterior.log_variance.grad.abs().min() > 0


@pytest.mark.parametrize("raw", [-1e4, -100.0, 0.0, 100.0, 1e4])
def test_log_variance_is_bounded_in_float32(raw: float) -> None:
    parameters = torch.cat(
        [torch.full((3, 2), 0.5), torch.full((3, 2), raw)], dim=1
    ).requires_grad_()
    posterior = DiagonalGaussian.from_parameters(parameters)
    latents = posterior.sample()
    value = posterior.kl().sum() + posterior.log_prob(torch.zeros(3, 2)).sum() + latents.sum()
    value.backward()

    assert posterior.log_variance.abs().max() <= 20
    assert posterior.log_variance.exp().isfinite().all()
    assert (-posterior.log_variance).exp().isfinite().all()
    assert latents.isfinite().all()
    assert value.isfinite()
    assert parameters.grad is not None
    assert parameters.grad.isfinite().all()


def test_bound_is_the_identity_near_zero_and_monotone() -> None:
    raw = torch.linspace(-60, 60, 1001, dtype=torch.float64)
    bounded = DiagonalGaussian.from_parameters(
        torch.stack([torch.zeros_like(raw), raw], 1)
    ).log_variance[:, 0]

    assert (bounded.diff() > 0).all()
    near = raw.abs() < 1
    torch.testing.assert_close(bounded[near], raw[near], rtol=1e-3, atol=0)


def test_first_half_of_the_parameters_is_the_mean() -> None:
    parameters = torch.randn(4, 6)
    assert torch.equal(DiagonalGaussian.from_parameters(parameters).mean, parameters[:, :3])


def test_point_is_its_code_and_has_no_kl() -> None:
    code = torch.randn(4, 2)
    assert Point(code).sample() is code
    assert Point(code).sample(torch.randn(4, 2)) is code
    assert Point(code).kl() is None


def loop_log_prob(posterior: DiagonalGaussian, latent: Tensor) -> float:
    """log (1/N) sum of N densities, one by one."""
    mixture = 0.0
    for mean, log_variance in zip(
        posterior.mean.tolist(), posterior.log_variance.tolist(), strict=True
    ):
        density = 1.0
        for m, v, z in zip(mean, log_variance, latent.tolist(), strict=True):
            density *= math.exp(-((z - m) ** 2) / (2 * math.exp(v))) / math.sqrt(
                2 * math.pi * math.exp(v)
            )
        mixture += density / len(posterior.mean)
    return math.log(mixture)


@pytest.mark.parametrize("chunk", [1, 4, 1024])
def test_aggregate_is_the_brute_force_mixture(chunk: int) -> None:
    posterior, latents = random_posterior(), torch.randn(9, 3, dtype=torch.float64)
    expected = torch.tensor([loop_log_prob(posterior, z) for z in latents], dtype=torch.float64)

    torch.testing.assert_close(
        aggregate_log_prob(posterior, latents, chunk), expected, rtol=1e-10, atol=1e-10
    )


def test_aggregate_without_the_own_posterior_is_the_brute_force_mixture_of_the_others() -> None:
    posterior = random_posterior()
    latents = posterior.sample()
    expected = []
    for i, z in enumerate(latents):
        others = [j for j in range(len(latents)) if j != i]
        expected.append(
            loop_log_prob(
                DiagonalGaussian(posterior.mean[others], posterior.log_variance[others]), z
            )
        )

    for chunk in (1, 4, 1024):
        values = aggregate_log_prob(posterior, latents, chunk, without_own=True)
        torch.testing.assert_close(
            values, torch.tensor(expected, dtype=torch.float64), rtol=1e-10, atol=1e-10
        )


def test_aggregate_is_a_density() -> None:
    posterior = DiagonalGaussian(torch.randn(5, 1), torch.randn(5, 1))
    grid = torch.linspace(-30, 30, 20_001, dtype=torch.float64)

    assert torch.trapezoid(
        aggregate_log_prob(posterior, grid[:, None]).exp(), grid
    ) == pytest.approx(1, abs=1e-6)


def test_mutual_information_is_the_brute_force_mean() -> None:
    posterior = random_posterior()
    latents = posterior.sample()
    own = posterior.log_prob(latents).tolist()
    expected = sum(
        p - loop_log_prob(posterior, z) for p, z in zip(own, latents, strict=True)
    ) / len(own)

    assert float(mutual_information(posterior, latents)) == pytest.approx(expected, rel=1e-10)


def test_mutual_information_reaches_its_ceiling_and_its_floor() -> None:
    count = 64
    separated = DiagonalGaussian(100.0 * torch.arange(count)[:, None], torch.zeros(count, 1))
    assert float(mutual_information(separated, separated.sample())) == pytest.approx(
        math.log(count), abs=1e-9
    )

    identical = DiagonalGaussian(torch.full((count, 2), 0.3), torch.full((count, 2), -1.0))
    assert float(mutual_information(identical, identical.sample())) == pytest.approx(0, abs=1e-9)


def test_mutual_information_is_finite_for_the_sharpest_posteriors() -> None:
    posterior = DiagonalGaussian.from_parameters(
        torch.cat([torch.randn(32, 2), torch.full((32, 2), -1e4)], 1)
    )
    assert float(mutual_information(posterior, posterior.sample())) == pytest.approx(
        math.log(32), abs=1e-3
    )


@pytest.mark.parametrize(("slope", "std"), [(1.0, 1.0), (2.0, 0.5), (0.3, 1.0)])
def test_mutual_information_of_a_linear_gaussian_model(slope: float, std: float) -> None:
    # Posterior N(a x, s²) with x ~ N(0, 1): the aggregate is N(0, a² + s²) and I = ln(1 + a²/s²) /
    # 2.
    count = 2000
    mean = slope * torch.randn(count, 1, dtype=torch.float64)
    posterior = DiagonalGaussian(mean, torch.full_like(mean, 2 * math.log(std)))
    exact = 0.5 * math.log(1 + slope**2 / std**2)

    assert float(mutual_information(posterior, posterior.sample())) == pytest.approx(
        exact, abs=0.06
    )

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from reslag_vae.latents import DiagonalGaussian


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

    torch.testing.assert_close(posterior.standard_kl(), expected, rtol=1e-12, atol=1e-12)
    assert (posterior.standard_kl() >= 0).all()


def test_kl_of_the_prior_is_zero() -> None:
    assert torch.equal(
        DiagonalGaussian(torch.zeros(2, 3), torch.zeros(2, 3)).standard_kl(), torch.zeros(2, 3)
    )


def test_kl_is_the_expected_log_ratio() -> None:
    posterior = DiagonalGaussian(
        torch.tensor([[0.7, -1.2]]).double(), torch.tensor([[-0.5, 0.3]]).double()
    )
    many = DiagonalGaussian(*(x.expand(200_000, 2) for x in posterior))
    latents = many.rsample()
    ratios = many.log_prob(latents) - Normal(0.0, 1.0).log_prob(latents).sum(-1)

    error = ratios.std() / len(ratios) ** 0.5
    assert abs(ratios.mean() - posterior.standard_kl().sum()) < 5 * error


def test_log_prob_is_that_of_torch() -> None:
    posterior, latents = random_posterior(), 3 * torch.randn(7, 3, dtype=torch.float64)

    expected = Independent(reference(posterior), 1).log_prob(latents)
    torch.testing.assert_close(posterior.log_prob(latents), expected, rtol=1e-12, atol=1e-12)


def test_sample_is_the_reparametrised_noise() -> None:
    posterior, noise = random_posterior(), torch.randn(7, 3, dtype=torch.float64)
    expected = posterior.mean + reference(posterior).scale * noise

    torch.testing.assert_close(posterior.rsample(noise), expected, rtol=1e-12, atol=1e-12)


def test_sample_has_the_moments_of_the_posterior() -> None:
    count, mean, log_variance = 100_000, torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    samples = (
        DiagonalGaussian(mean.expand(count, 2), log_variance.expand(count, 2)).rsample().double()
    )
    variance = log_variance.double().exp()

    assert ((samples.mean(0) - mean).abs() < 5 * (variance / count).sqrt()).all()
    assert ((samples.var(0) - variance).abs() < 5 * variance * (2 / count) ** 0.5).all()
    assert abs(torch.corrcoef(samples.T)[0, 1]) < 5 / count**0.5


def test_two_samples_differ_and_carry_gradients() -> None:
    posterior = DiagonalGaussian(
        torch.zeros(4, 2, requires_grad=True), torch.zeros(4, 2, requires_grad=True)
    )
    first, second = posterior.rsample(), posterior.rsample()
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
    latents = posterior.rsample()
    value = (
        posterior.standard_kl().sum() + posterior.log_prob(torch.zeros(3, 2)).sum() + latents.sum()
    )
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


def test_a_density_is_the_product_of_those_of_parts_of_its_dimensions() -> None:
    torch.manual_seed(0)
    whole = DiagonalGaussian(*torch.randn(2, 5, 3, dtype=torch.float64))
    parts, latents = whole.split([1, 2]), torch.randn(5, 3, dtype=torch.float64)
    values = [part.log_prob(z) for part, z in zip(parts, latents.split([1, 2], 1), strict=True)]

    torch.testing.assert_close(values[0] + values[1], whole.log_prob(latents))
    torch.testing.assert_close(whole.log_probs(latents)[:, 0], values[0])
    back = DiagonalGaussian.joined(parts)
    assert torch.equal(back.mean, whole.mean)
    assert torch.equal(back.log_variance, whole.log_variance)

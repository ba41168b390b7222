"""What every prior promises."""

import math

import pytest
import torch
from torch import Tensor, nn

from reslag_vae import latents
from reslag_vae.latents import (
    Bernoulli,
    DiagonalGaussian,
    GaussianPosterior,
    Inferred,
    Level,
    Point,
    PosteriorDensity,
    Prior,
    VampPrior,
)
from tests.contracts.numbers import (
    assert_mean,
    grid,
    integral,
    standard_normal_log_prob,
    support,
)
from tests.contracts.parts import IMAGE_SHAPE, LATENT_DIM, Case, every

# That of codes is a mass: tests/contracts/test_codes.py
every_prior = every(latents, Prior, without=("code_mass",))
every_exact_prior = every(latents, Prior, without=("code_mass", "bound"))
every_bounded_prior = every(latents, Prior, without=("code_mass",), only="bound")


def bound(case: Case, dimensions: int = LATENT_DIM, dtype: torch.dtype = torch.float32) -> Prior:
    """A prior that is given an encoder, as by a model."""
    prior: Prior = case.build(latent_dim=dimensions).to(dtype)
    posterior = GaussianPosterior()
    numbers = posterior.parameters_per_latent * dimensions
    layers = nn.Flatten(), nn.Linear(math.prod(IMAGE_SHAPE), numbers, dtype=dtype)
    prior.bind(Level(posterior, dimensions, nn.Sequential(*layers)))
    return prior


def trained(case: Case, dimensions: int = LATENT_DIM) -> Prior:
    """A prior in float64 whose parameters are not those of its start, in evaluation mode."""
    prior = bound(case, dimensions, torch.float64)
    generator = torch.Generator().manual_seed(1)
    # Far from its start a bound's estimates of the density have no variance.
    distance = 0.1 if is_bounded(case) else 0.3
    with torch.no_grad():
        for parameter in prior.parameters():
            noise = torch.randn(parameter.shape, dtype=torch.float64, generator=generator)
            parameter.add_(distance * noise)
    return prior.eval()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(prior: Prior, count: int) -> Tensor:
    """(count, noise_dim) standard normal numbers."""
    return torch.randn(count, prior.noise_dim, dtype=torch.float64, generator=seeded())


def is_binary(case: Case) -> bool:
    return "binary_prior" in case.kind.provides  # type: ignore[attr-defined]


def is_bounded(case: Case) -> bool:
    return "bound" in case.kind.provides  # type: ignore[attr-defined]


def posterior_of(case: Case, parameters: Tensor) -> PosteriorDensity:
    """Posteriors such as the prior is for, of (2, B, d) numbers."""
    if is_binary(case):
        return Bernoulli(parameters[0])
    return DiagonalGaussian(parameters[0], parameters[1])


def expected_statistics(case: Case, prior: Prior) -> tuple[Tensor, Tensor | None]:
    """(F,) means of `statistics` under the density, and the rows by which they are known."""
    if is_binary(case):
        states = torch.cartesian_prod(*[support(True, 0.0)] * LATENT_DIM)
        return prior().log_prob(states).exp() @ statistics(states), None
    scale = 3.0
    noise = torch.randn(100_000, LATENT_DIM, dtype=torch.float64, generator=seeded(2))
    log_wide = standard_normal_log_prob(noise) - LATENT_DIM * math.log(scale)
    weights = (prior().log_prob(scale * noise) - log_wide).exp()
    weighted = weights[:, None] * statistics(scale * noise)
    return weighted.mean(0), weighted


def statistics(samples: Tensor) -> Tensor:
    """(N, F) functions of (N, d) latents whose means tell densities apart."""
    one = torch.ones(len(samples), 1, dtype=samples.dtype)
    products = samples * samples.roll(1, 1)
    return torch.cat([one, samples, samples.square(), products, samples.cos()], dim=1)


@every_exact_prior
@torch.no_grad()
def test_a_density_integrates_to_one(case: Case) -> None:
    points = support(is_binary(case), reach=40.0)
    probabilities = trained(case, dimensions=1)().log_prob(points[:, None]).exp()

    # By as much the rule misses a density with kinks, as that of splines.
    assert float(integral(probabilities, points)) == pytest.approx(1, abs=1e-5)


@every_bounded_prior
@torch.no_grad()
def test_a_bound_integrates_to_less_than_one_and_its_exponential_to_one_in_the_mean(
    case: Case,
) -> None:
    prior, points = trained(case, dimensions=1).train(), grid(reach=40.0, count=4001)
    draws = [prior().log_prob(points[:, None]) for _ in range(500)]
    log_probs = torch.stack(draws)

    # What it is in the mean, and what the mean of its exponential is: the density itself.
    assert float(integral(log_probs.mean(0).exp(), points)) < 1
    totals = integral(log_probs.exp(), points)
    assert_mean(totals, torch.tensor(1.0, dtype=torch.float64))


@every_prior
@torch.no_grad()
def test_in_evaluation_the_density_of_latents_is_a_function_of_these_alone(case: Case) -> None:
    prior = trained(case)
    latents = prior.from_noise(drawn(prior, 23))
    before = torch.get_rng_state()
    together = prior().log_prob(latents)
    apart = torch.cat([prior().log_prob(part) for part in latents.split([1, 2, 17, 3])])

    torch.testing.assert_close(together, apart, rtol=1e-9, atol=1e-9)
    assert torch.equal(torch.get_rng_state(), before), "the global generator was used"


@every_exact_prior
@torch.no_grad()
def test_samples_fit_the_density(case: Case) -> None:
    prior = trained(case)
    expected, rows = expected_statistics(case, prior)
    samples = prior.from_noise(drawn(prior, 50_000))

    assert_mean(statistics(samples), expected, others=rows)
    torch.testing.assert_close(prior().mean, expected[1 : 1 + LATENT_DIM], rtol=0, atol=0.1)


@every_prior
@torch.no_grad()
def test_mean_and_variance_are_those_of_samples(case: Case) -> None:
    prior = trained(case)
    samples = prior.from_noise(drawn(prior, 50_000))

    assert samples.shape == (50_000, LATENT_DIM)
    assert samples.dtype == torch.float64
    torch.testing.assert_close(prior().mean, samples.mean(0), rtol=0, atol=0.1)
    torch.testing.assert_close(prior().variance, samples.var(0), rtol=0.03, atol=0)


@every_prior
@torch.no_grad()
def test_a_sample_is_a_function_of_its_own_noise(case: Case) -> None:
    prior = trained(case)
    noise, before = drawn(prior, 23), torch.get_rng_state()
    together = prior.from_noise(noise)
    apart = torch.cat([prior.from_noise(part) for part in noise.split([1, 2, 17, 3])])

    # The number of rows decides how a network rounds.
    torch.testing.assert_close(together, apart, rtol=1e-9, atol=1e-9)
    assert len(together.unique(dim=0)) == (2**LATENT_DIM if is_binary(case) else 23)
    assert torch.equal(torch.get_rng_state(), before), "the global generator was used"


@every_prior
@torch.no_grad()
def test_half_precision_around_it_changes_nothing(case: Case) -> None:
    if case.kind is VampPrior:
        pytest.skip("it is made of an encoder, which runs in half precision")
    prior = trained(case).float()
    latents = prior.from_noise(drawn(prior, 23).float())
    q = posterior_of(case, torch.randn(2, 23, LATENT_DIM, generator=seeded(5)))

    def results() -> list[Tensor | None]:
        own = prior()
        samples = prior.from_noise(drawn(prior, 23).float())
        return [own.log_prob(latents), own.mean, own.variance, samples, prior.kl(q)]

    expected = results()
    with torch.autocast("cpu", torch.bfloat16):
        for own, other in zip(results(), expected, strict=True):
            assert (own is None) == (other is None)
            if own is not None and other is not None:
                assert own.dtype == other.dtype
                assert torch.equal(own, other)


@every_prior
@torch.no_grad()
def test_the_temperature_is_that_of_the_noise(case: Case) -> None:
    prior = trained(case)
    noise = drawn(prior, 500)
    cold, warm, hot = (prior.from_noise(noise, by).var(0).sum() for by in (0.0, 0.5, 1.0))
    assert cold < warm < hot


@every_prior
@pytest.mark.parametrize("distance", [0.0, 1.0, 100.0])
def test_log_prob_has_finite_gradients(case: Case, distance: float) -> None:
    prior = trained(case)
    points = distance * torch.randn(6, LATENT_DIM, dtype=torch.float64, generator=seeded(3))
    points.requires_grad_()
    log_prob = prior().log_prob(points)
    log_prob.sum().backward()

    assert log_prob.shape == (6,)
    assert log_prob.isfinite().all()
    for leaf in (points, *prior.parameters()):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()


@every_prior
@torch.no_grad()
def test_the_rate_is_the_kl_by_quadrature(case: Case) -> None:
    # With one dimension the KL is an integral over a line.
    prior, count = trained(case, dimensions=1), 20_000
    parameters = torch.tensor([[[0.7], [-2.0]], [[-1.0], [0.5]]]).double()
    points = support(is_binary(case), reach=30.0)
    for i in range(2):
        one = posterior_of(case, parameters[:, i : i + 1])
        log_q = one.repeat(len(points)).log_prob(points[:, None])
        expected = integral(log_q.exp() * (log_q - prior().log_prob(points[:, None])), points)
        many = one.repeat(count)
        noise = torch.randn(count, 1, dtype=torch.float64, generator=seeded(4))
        inferred = Inferred((many,), (prior(),), (many.rsample(noise),), (prior.kl(many),), {})
        rate = inferred.rate()

        assert rate is not None
        assert_mean(rate, expected)
        assert_mean(-inferred.log_ratio(), expected)


@every_prior
@torch.no_grad()
def test_an_analytic_kl_is_the_expected_log_ratio(case: Case) -> None:
    prior = trained(case)
    parameters = torch.randn(2, 2, LATENT_DIM, dtype=torch.float64, generator=seeded(5))
    q = posterior_of(case, parameters)
    kl, many = prior.kl(q), q.repeat(20_000)
    noise = torch.randn(many.mean.shape, dtype=torch.float64, generator=seeded(6))
    samples = many.rsample(noise)
    ratios = (many.log_prob(samples) - prior().log_prob(samples)).view(2, -1)

    # It is positive in any case; where there is a closed form, that is its mean.
    assert (ratios.mean(1) > 0).all()
    if kl is not None:
        assert kl.shape == (2, LATENT_DIM)
        assert_mean(ratios.T, kl.sum(1))


@every_prior
def test_a_point_has_no_kl(case: Case) -> None:
    assert trained(case).kl(Point(torch.zeros(2, LATENT_DIM).double())) is None


@every_prior
@torch.no_grad()
@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_no_parameter_is_so_far_off_that_the_density_is_not_finite(
    case: Case, value: float
) -> None:
    prior = bound(case)
    for parameter in prior.parameters():
        parameter.fill_(value)
    noise = torch.randn(20, prior.noise_dim, generator=seeded(7))
    samples = prior.from_noise(noise)

    assert samples.isfinite().all()
    assert prior().log_prob(samples).isfinite().all()

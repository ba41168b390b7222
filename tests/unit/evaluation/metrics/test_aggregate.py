"""The aggregate posterior, against closed forms and against a mixture written out."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

from reslag_vae.evaluation.metrics.aggregate import aggregate_posterior
from reslag_vae.latents import DiagonalGaussian


def posteriors(count: int = 12, dimension: int = 3) -> tuple[DiagonalGaussian, Tensor]:
    shape = (count, dimension)
    posterior = DiagonalGaussian(
        torch.randn(shape, dtype=torch.float64), 0.5 * torch.randn(shape, dtype=torch.float64) - 1
    )
    return posterior, posterior.rsample()


def mixture(posterior: DiagonalGaussian, without: int | None = None) -> MixtureSameFamily:
    kept = [i for i in range(len(posterior.mean)) if i != without]
    parts = Independent(Normal(posterior.mean[kept], (posterior.log_variance[kept] / 2).exp()), 1)
    return MixtureSameFamily(Categorical(torch.ones(len(kept), dtype=torch.float64)), parts)


def test_every_statistic_is_that_of_the_mixture_written_out() -> None:
    posterior, latents = posteriors()
    result = aggregate_posterior(posterior, latents)
    own = Independent(Normal(posterior.mean, (posterior.log_variance / 2).exp()), 1).log_prob(
        latents
    )
    inside = mixture(posterior).log_prob(latents)
    left_out = torch.stack(
        [mixture(posterior, i).log_prob(latents[i]) for i in range(len(latents))]
    )
    columns = [
        DiagonalGaussian(posterior.mean[:, [j]], posterior.log_variance[:, [j]]) for j in range(3)
    ]
    marginals = sum(mixture(column).log_prob(latents[:, [j]]) for j, column in enumerate(columns))
    others = torch.stack(
        [
            sum(mixture(column, i).log_prob(latents[i, [j]]) for j, column in enumerate(columns))
            for i in range(len(latents))
        ]
    )

    assert result.kl == pytest.approx(float(posterior.standard_kl().sum(1).mean()), rel=1e-12)
    assert result.ceiling == math.log(12)
    for bracket, low, high in (
        (result.mutual_information, own - inside, own - left_out),
        (result.total_correlation, left_out - marginals, inside - others),
    ):
        most = result.kl if bracket is result.mutual_information else result.aggregate_kl.high
        assert bracket.low == pytest.approx(float(low.mean().clamp(0, most)), rel=1e-9)
        assert bracket.high == pytest.approx(float(high.mean().clamp(0, most)), rel=1e-9)
        assert bracket.low < bracket.high
    # KL(q(z|x) || p) = I + KL(q || p)
    assert result.mutual_information.low + result.aggregate_kl.high == pytest.approx(
        result.kl, rel=1e-12
    )
    assert result.mutual_information.high + result.aggregate_kl.low == pytest.approx(
        result.kl, rel=1e-12
    )


def test_the_brackets_hold_the_truth_of_a_linear_gaussian_model(linear: Any) -> None:
    model, images = linear.exact(), linear.images(3000)
    posterior = model.posterior(images)
    result = aggregate_posterior(posterior, posterior.rsample(), marginal_samples=3000)
    # The images are samples of the model: the aggregate of its exact posteriors is the prior.
    assert (
        result.mutual_information.low - 0.02
        < linear.information()
        < result.mutual_information.high + 0.02
    )
    assert result.aggregate_kl.low - 0.02 < 0 < result.aggregate_kl.high + 0.02
    assert result.total_correlation.low - 0.02 < 0 < result.total_correlation.high + 0.02
    assert result.mutual_information.high - result.mutual_information.low < 0.6


def test_total_correlation_and_divergence_of_a_correlated_gaussian() -> None:
    covariance = torch.tensor([[2.0, 1.2], [1.2, 1.5]], dtype=torch.float64)
    means = MultivariateNormal(
        torch.tensor([1.0, -0.5]).double(), covariance - 0.5 * torch.eye(2)
    ).sample((4000,))
    posterior = DiagonalGaussian(means, torch.full_like(means, math.log(0.5)))
    result = aggregate_posterior(posterior, posterior.rsample(), marginal_samples=4000)
    whole = MultivariateNormal(torch.tensor([1.0, -0.5]).double(), covariance)
    prior = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
    correlation = -0.5 * math.log(1 - 1.2**2 / (2.0 * 1.5))

    for bracket, exact in (
        (result.aggregate_kl, float(kl_divergence(whole, prior))),
        (result.total_correlation, correlation),
    ):
        assert bracket.low == pytest.approx(exact, abs=0.06)
        assert bracket.high == pytest.approx(exact, abs=0.06)


def test_a_prior_that_fits_does_not_limit_the_total_correlation() -> None:
    covariance = torch.tensor([[1.0, 0.9], [0.9, 1.0]], dtype=torch.float64)
    narrow = 0.05 * torch.eye(2, dtype=torch.float64)
    zeros = torch.zeros(2, dtype=torch.float64)
    means = MultivariateNormal(zeros, covariance - narrow).sample((4000,))
    posterior = DiagonalGaussian(means, torch.full_like(means, math.log(0.05)))
    latents = posterior.rsample()
    # KL(q(z|x) || p(z)) of a prior that is q(z), by one sample of each posterior.
    rates = posterior.log_prob(latents) - MultivariateNormal(zeros, covariance).log_prob(latents)
    result = aggregate_posterior(posterior, latents, marginal_samples=4000, rates=rates)

    assert result.aggregate_kl.high == pytest.approx(0, abs=0.06)
    exact = -0.5 * math.log(1 - 0.9**2)
    assert result.total_correlation == pytest.approx((exact, exact), abs=0.06)


def test_posteriors_that_do_not_overlap_leave_the_bracket_open() -> None:
    means = 1e3 * torch.arange(8.0, dtype=torch.float64)[:, None]
    posterior = DiagonalGaussian(means, torch.zeros_like(means))
    result = aggregate_posterior(posterior, posterior.rsample())
    assert result.mutual_information.low == pytest.approx(math.log(8))
    assert 1e5 < result.mutual_information.high < result.kl
    assert result.aggregate_kl.high == pytest.approx(result.kl - math.log(8), rel=1e-3)


def test_a_single_latent_has_no_standard_error() -> None:
    posterior = DiagonalGaussian(torch.randn(4, 2), torch.zeros(4, 2))
    result = aggregate_posterior(posterior, posterior.rsample(), marginal_samples=1)
    assert result.errors["total_correlation"] == (None, None)
    assert all(own > 0 for own in result.errors["mutual_information"])


def test_posteriors_that_are_all_the_same_say_nothing() -> None:
    same = DiagonalGaussian(torch.ones(50, 2).double(), torch.zeros(50, 2).double())
    result = aggregate_posterior(same, same.rsample())
    assert result.mutual_information == pytest.approx((0, 0), abs=1e-12)
    assert result.total_correlation == pytest.approx((0, 0), abs=1e-12)


def test_a_fitted_density_narrows_the_bracket_from_the_low_side_of_the_density() -> None:
    # Sharp posteriors whose means are N(0, 4): q(z) is N(0, 4.0001), KL(q || p) in closed form.
    means = 2 * torch.randn(500, 4, dtype=torch.float64)
    posterior = DiagonalGaussian(means, torch.full_like(means, math.log(1e-4)))
    latents = posterior.rsample()
    exact = 4 * 0.5 * (4.0001 - 1 - math.log(4.0001))
    density = Normal(0.0, math.sqrt(4.0001)).log_prob(latents).sum(1)
    wide, narrow = (
        aggregate_posterior(posterior, latents),
        aggregate_posterior(posterior, latents, density),
    )

    assert wide.aggregate_kl.low < 1
    assert narrow.aggregate_kl.low == pytest.approx(exact, abs=0.5)
    assert narrow.mutual_information.high == pytest.approx(narrow.kl - exact, abs=0.5)
    assert narrow.total_correlation.low == pytest.approx(0, abs=0.1)
    assert narrow.aggregate_kl.high == wide.aggregate_kl.high
    # A density that fits badly is not used.
    assert aggregate_posterior(posterior, latents, density - 1e6) == wide


def test_the_high_estimate_of_the_total_correlation_lies_above_it() -> None:
    # Means that are the same number in all 4 dimensions: in closed form, for means N(0, 1) and
    # variances 0.09.
    covariance = torch.ones(4, 4).double() + 0.09 * torch.eye(4).double()
    exact = 0.5 * (4 * math.log(1.09) - float(torch.logdet(covariance)))
    values = []
    for _ in range(20):
        means = torch.randn(200, 1, dtype=torch.float64).expand(200, 4)
        posterior = DiagonalGaussian(means, torch.full_like(means, math.log(0.09)))
        values.append(aggregate_posterior(posterior, posterior.rsample()).total_correlation)
    low, high = torch.tensor(values).mean(0).tolist()
    assert low < exact < high


def test_what_cannot_be_is_cut_off() -> None:
    posterior, latents = posteriors(50, 6)
    result = aggregate_posterior(posterior, latents)
    assert (
        0
        <= result.total_correlation.low
        <= result.total_correlation.high
        <= result.aggregate_kl.high
    )
    assert result.mutual_information.high <= result.kl
    # A rate that was estimated from one sample of each may lie a little below 0.
    collapsed = aggregate_posterior(posterior, latents, rates=torch.full((50,), -0.05))
    assert collapsed.mutual_information == collapsed.aggregate_kl == (0, 0)


CENTRES = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]], dtype=torch.float64)


def information_of_clusters(deviation: float) -> float:
    """Return I(x; z) in nats where x chooses one of the centres and z lies around it.

    It is the difference of the entropies, summed over a grid.
    """
    axis = torch.linspace(-10, 12, 1101, dtype=torch.float64)
    places = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    squared = torch.stack([(places - centre).square().sum(-1) for centre in CENTRES])
    normal = math.log(2 * math.pi * deviation**2)
    log_density = (
        torch.logsumexp(-squared / (2 * deviation**2), 0) - math.log(len(CENTRES)) - normal
    )
    return -float((log_density.exp() * log_density).sum() * (axis[1] - axis[0]) ** 2) - (1 + normal)


@pytest.mark.parametrize("deviation", [1.0, 0.3])
def test_where_posteriors_overlap_standard_errors_cover_the_truth_and_the_bracket_does_not(
    deviation: float,
) -> None:
    truth = information_of_clusters(deviation)
    bare = covered = 0
    for _ in range(40):
        mean = CENTRES[torch.randint(len(CENTRES), (500,))]
        posterior = DiagonalGaussian(mean, torch.full_like(mean, 2 * math.log(deviation)))
        found = aggregate_posterior(posterior, posterior.rsample())
        (low, high), errors = found.mutual_information, found.errors["mutual_information"]
        bare += low <= truth <= high
        covered += low - 1.96 * errors.low <= truth <= high + 1.96 * errors.high
    assert bare < 25
    assert covered >= 36

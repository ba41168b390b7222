"""Information of the aggregate posterior q(z) = E q(z|x), over the images of a data set."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.evaluation.numbers import standard_error
from reslag_vae.latents import DiagonalGaussian, PosteriorDensity
from reslag_vae.latents.statistics import aggregate_log_prob
from reslag_vae.models.latent_inputs import as_latents
from reslag_vae.models.number_inputs import check_count

# Latents that the total correlation is estimated at.
MARGINAL_SAMPLES = 1024


class Bracket(NamedTuple):
    """Two estimates between which a number lies in expectation: a bracket of the estimator's bias.

    Attributes:
        low: the lower estimate.
        high: the higher estimate.
    """

    low: float
    high: float


class Errors(NamedTuple):
    """The standard errors over images of the ends of a bracket.

    Attributes:
        low: that of the lower estimate; None where it is of a single latent.
        high: that of the higher estimate.
    """

    low: float | None
    high: float | None


class Aggregate(NamedTuple):
    """Statistics of the aggregate of N posteriors, all in nats.

    Attributes:
        kl: mean of KL(q(z|x) || p(z)), the sum of the mutual information and the aggregate KL.
        mutual_information: I(x; z) = E[log q(z|x) - log q(z)].
        ceiling: log N, which `mutual_information.low` cannot exceed.
        aggregate_kl: KL(q(z) || p(z)), the mean KL without the mutual information.
        total_correlation: KL(q(z) || product of its marginals).
        errors: standard errors over images of both ends of the three brackets, by name; a bracket
            itself does not cover that other images would give other estimates.
    """

    kl: float
    mutual_information: Bracket
    ceiling: float
    aggregate_kl: Bracket
    total_correlation: Bracket
    errors: dict[str, Errors]


def aggregate_posterior(
    posterior: PosteriorDensity | None,
    latents: Tensor,
    fitted: Tensor | None = None,
    marginal_samples: int = MARGINAL_SAMPLES,
    rates: Tensor | None = None,
) -> Aggregate:
    """Return the statistics of the aggregate posterior, bracketed.

    q(z) is estimated by the mixture of the N posteriors. With each latent's own posterior in the
    mixture its density is overestimated, and without it underestimated, both in expectation (Poole
    et al. 2019, https://arxiv.org/abs/1905.06922, section 2): the truth lies between. Where
    posteriors hardly overlap, as with many dimensions, the bracket is wide. Where they overlap it
    is narrow, and the standard error over the images is the larger uncertainty. A density r(z) that
    was fitted to other codes narrows the bracket, since E log q(z) >= E log r(z) over q for any r.
    Impossible values are clipped: no divergence is negative, the mutual information does not exceed
    the mean KL, nor the total correlation KL(q(z) || N(0, I)), as it is the least divergence from a
    density of independent coordinates. The N² comparisons take about 4 s for N = 10,000 on 2 cores.

    Args:
        posterior: posteriors of N images; N is at least 2.
        latents: (N, d) latents, one sample of each posterior.
        fitted: (N,) log r(z) of the latents in nats; None leaves r out.
        marginal_samples: the number of latents that estimate the total correlation.
        rates: (N,) KL of each posterior to the prior in nats; None is that to N(0, I).

    Raises:
        ValueError: the posteriors are points or fewer than 2, or there is not one latent for each.
    """
    log_variance = None if posterior is None else posterior.log_variance
    if posterior is None or log_variance is None:
        raise ValueError(
            "The aggregate of points has no density: the posteriors need means and log-variances."
        )
    gaussian = DiagonalGaussian(posterior.mean, log_variance)
    marginal_samples = check_count("marginal_samples", marginal_samples)
    latents = as_latents(latents, posterior.mean.shape[-1], posterior.mean)
    if len(latents) < 2 or latents.shape != posterior.mean.shape:
        raise ValueError(
            "latents: one for each of at least 2 posteriors is wanted, and these are "
            f"{tuple(latents.shape)} for {tuple(posterior.mean.shape)}."
        )
    exact = DiagonalGaussian(posterior.mean.double(), log_variance.double())
    own = exact.log_prob(latents.double())
    high = aggregate_log_prob(gaussian, latents)
    low = aggregate_log_prob(gaussian, latents, without_own=True)
    if fitted is not None and fitted.mean() > low.mean():
        low = fitted.double()
    few = slice(min(marginal_samples, len(latents)))
    marginals, others = (values.sum(-1) for values in marginal_log_probs(gaussian, latents[few]))
    standard_kl = gaussian.standard_kl().double().sum(-1)
    kl = standard_kl if rates is None else rates.double()
    mean_kl = float(kl.mean())
    few_low, few_high = low[few] - marginals, high[few] - others
    ends = {
        "mutual_information": (own - high, own - low),
        "aggregate_kl": (kl - (own - low), kl - (own - high)),
        "total_correlation": (few_low, few_high),
    }
    information = _bracket(*ends["mutual_information"], mean_kl)
    aggregate_kl = Bracket(
        *(max(0.0, mean_kl - own) for own in (information.high, information.low))
    )
    # Also where the prior is another one, whose coordinates need not be independent.
    most = max(0.0, float(standard_kl.mean()) - information.low)
    return Aggregate(
        kl=mean_kl,
        mutual_information=information,
        ceiling=math.log(len(latents)),
        aggregate_kl=aggregate_kl,
        total_correlation=_bracket(few_low, few_high, most),
        errors={name: _errors(*values) for name, values in ends.items()},
    )


def _bracket(low: Tensor, high: Tensor, most: float = math.inf) -> Bracket:
    # Estimates that lie closer than their errors may come the other way round, and an estimated
    # rate of about 0 may lie below it.
    return Bracket(*sorted(max(0.0, min(float(values.mean()), most)) for values in (low, high)))


def _errors(low: Tensor, high: Tensor) -> Errors:
    """Return the standard errors of the lower and of the higher mean."""
    lower, higher = sorted((low, high), key=lambda values: float(values.mean()))
    return Errors(standard_error(lower), standard_error(higher))


def marginal_log_probs(posterior: DiagonalGaussian, latents: Tensor) -> tuple[Tensor, Tensor]:
    """Return (M, d) log q(z_j) of each coordinate of (M, d) latents, in nats.

    q(z_j) is the even mixture of the N posteriors' marginals. The first result is with all
    posteriors, the second without the i-th one, of which the i-th latent is a sample. One dimension
    is computed at a time, so that the memory is that of a few (M, N) numbers.
    """
    count, own = len(posterior.mean), torch.arange(len(latents))
    inside, left_out = (latents.new_empty(latents.shape, dtype=torch.float64) for _ in range(2))
    columns = zip(posterior.mean.T, posterior.log_variance.T, latents.T, strict=True)
    for j, (mean, log_variance, z) in enumerate(columns):
        densities = (z[:, None] - mean).square_().mul_(-0.5 * (-log_variance).exp())
        densities -= 0.5 * (log_variance + math.log(2 * math.pi))
        inside[:, j] = densities.logsumexp(1)
        densities[own, own] = -math.inf
        left_out[:, j] = densities.logsumexp(1)
    return inside - math.log(count), left_out - math.log(count - 1)

"""Statistics of what a latent code carries: the evidence for or against a collapse."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae.latents.codes import usages_of, used_of
from reslag_vae.latents.gaussian import DiagonalGaussian
from reslag_vae.latents.inferred import Inferred, joined
from reslag_vae.latents.levels import by_level, numbered
from reslag_vae.latents.verdicts import SILENT, verdict_on, verdict_on_levels, verdicts_on_codes

# A unit is active if the variance of its posterior mean over the data exceeds this share of the
# prior's variance (Burda et al. 2016, section 5.2, where that is 1).
ACTIVE_VARIANCE = 0.01

# Codes differ between images if the variance of their vectors exceeds this share of the mean
# square: a difference of sums in float64 is not exactly 0.
SAME = 1e-9


def active_dimensions(variances: Tensor, prior_variances: Tensor) -> Tensor:
    """Return which latent dimensions are active.

    Args:
        variances: (d,) variances of the posterior means over all images.
        prior_variances: (d,) variances of the prior; where it differs between images, their means.

    Returns:
        (d,) truth values.
    """
    return variances > ACTIVE_VARIANCE * prior_variances


def aggregate_log_prob(
    posterior: DiagonalGaussian, latents: Tensor, chunk: int = 1024, without_own: bool = False
) -> Tensor:
    """Return the log-density of latents under the even mixture of N posteriors, in nats.

    It is computed in float64. The quadratic form is expanded into two matrix products.

    Args:
        posterior: the N components of the mixture.
        latents: (M, d) latents.
        chunk: number of latents at a time, which bounds the memory.
        without_own: whether the i-th posterior, from which the i-th latent was drawn, is left out
            of the mixture for that latent.

    Returns:
        (M,) values of log q(z).
    """
    mean, log_variance = posterior.mean.double(), posterior.log_variance.double()
    precision = (-log_variance).exp()
    constant = -0.5 * (mean.square() * precision + log_variance + math.log(2 * math.pi)).sum(-1)
    linear, quadratic = (mean * precision).T, -0.5 * precision.T
    values = []
    for rows in torch.split(torch.arange(len(latents), device=latents.device), chunk):
        z = latents[rows].double()
        densities = z @ linear + z.square() @ quadratic + constant
        if without_own:
            densities[rows - rows[0], rows] = -math.inf
        values.append(densities.logsumexp(-1))
    return torch.cat(values) - math.log(len(mean) - without_own)


def mutual_information(posterior: DiagonalGaussian, latents: Tensor) -> Tensor:
    """Return an estimate of I(x; z) = E[log q(z|x) - log q(z)] in nats over N posteriors.

    The estimate cannot exceed log N, its ceiling, because each latent's own posterior is part of
    the mixture (Hoffman & Johnson 2016; He et al. 2019, appendix).

    Args:
        posterior: the N posteriors of a reference set.
        latents: (N, d) latents, one sample of each posterior.

    Returns:
        A () tensor.
    """
    own = DiagonalGaussian(posterior.mean.double(), posterior.log_variance.double()).log_prob(
        latents.double()
    )
    return (own - aggregate_log_prob(posterior, latents)).mean()


@dataclass
class LatentStatistics:
    """Statistics of the posteriors of one evaluation, accumulated batch by batch on the device.

    Args:
        reference: number of posteriors (the first ones) that estimate the mutual information, whose
            ceiling is the logarithm of that number.

    Attributes:
        count: number of images so far.
        moments: (3, d) sums of the posterior means (in a hierarchy of what levels add to those
            above, see `Inferred.shifts`), of their squares and of the prior's variances.
        kls: (d,) sums of the KL of each dimension; None without a closed form.
        rates: () sum of the KL of all dimensions.
        level_rates: (L,) sums of the KL of each level, top first.
        level_dims: number of dimensions of each level, top first.
        usage: (K_l,) uses of each code of each level of codes, top first.
        kept: means, log-variances and samples of the reference set, if posteriors are Gaussian.
    """

    reference: int = 2048
    count: int = 0
    moments: Tensor | None = None
    kls: Tensor | None = None
    rates: Tensor | None = None
    level_rates: Tensor | None = None
    level_dims: tuple[int, ...] = ()
    usage: list[Tensor] = field(default_factory=list)
    kept: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)

    def add(self, inferred: Inferred, rate: Tensor, shifts: Tensor | None = None) -> None:
        """Add the posteriors of B images.

        Args:
            inferred: result of inference on the images.
            rate: (B,) KL of the images in nats.
            shifts: (B, d) `Inferred.shifts` of the images; None for those of the result.
        """
        mean = (inferred.shifts if shifts is None else shifts).double()
        spread = inferred.prior_variances.double()
        sums = torch.stack([mean.sum(0), mean.square().sum(0), spread.sum(0)])
        self.moments = added(self.moments, sums)
        self.rates = added(self.rates, rate.double().sum())
        levels = torch.stack([own.double().sum() for own in inferred.level_rates()])
        self.level_rates = added(self.level_rates, levels)
        self.level_dims = tuple(own.shape[1] for own in inferred.latents)
        kls = [kl for kl in inferred.kls if kl is not None]
        if len(kls) == len(inferred.kls):
            self.kls = added(self.kls, joined(tuple(kls)).double().sum(0))
        self.usage = all_added(self.usage, usages_of(inferred.posteriors))
        room = self.reference - self.count
        if room > 0:
            self._keep(inferred, room)
        self.count += len(mean)

    def _keep(self, inferred: Inferred, room: int) -> None:
        if inferred.log_variances is not None:
            kept = (joined(inferred.means), inferred.log_variances, inferred.code)
            self.kept.append((kept[0][:room], kept[1][:room], kept[2][:room]))

    def gathered(self) -> "LatentStatistics":
        """Return the statistics over all processes, whose images alternate.

        Each process must call it.
        """
        if collectives.count() == 1:
            return self
        whole = LatentStatistics(self.reference)
        kept = [(mean.cpu(), spread.cpu(), latents.cpu()) for mean, spread, latents in self.kept]
        sums = [on_cpu(own) for own in (self.moments, self.kls, self.rates, self.level_rates)]
        uses = [own.cpu() for own in self.usage]
        shares = collectives.objects((self.count, sums, self.level_dims, uses, kept))
        for count, (moments, kls, rates, levels), dims, usage, _ in shares:
            if moments is not None and rates is not None and levels is not None:
                whole.count += count
                whole.moments, whole.rates = (
                    added(whole.moments, moments),
                    added(whole.rates, rates),
                )
                whole.level_rates, whole.level_dims = added(whole.level_rates, levels), dims
                whole.kls = None if kls is None else added(whole.kls, kls)
                whole.usage = all_added(whole.usage, usage)
        room = self.reference
        turns = itertools.zip_longest(*(kept for *_, kept in shares))
        for turn in itertools.chain.from_iterable(turns):
            if turn is not None and room > 0:
                mean, spread, latents = turn
                whole.kept.append((mean[:room], spread[:room], latents[:room]))
                room -= len(mean[:room])
        return whole

    def kl_per_dimension(self) -> Tensor | None:
        """Return the (d,) mean KL of each latent dimension in nats; None without a closed form."""
        return None if self.kls is None else self.kls / self.count

    def rate(self) -> float:
        """Return the mean KL of all dimensions together, in nats."""
        assert self.rates is not None, "no posterior was added"
        per_dimension = self.kl_per_dimension()
        if per_dimension is None:
            return float(self.rates / self.count)
        return float(per_dimension.sum())

    def rate_of_levels(self) -> list[float]:
        """Return the mean KL of each level in nats, top first."""
        assert self.level_rates is not None, "no posterior was added"
        rates: list[float] = (self.level_rates / self.count).tolist()
        return rates

    def active(self) -> Tensor:
        """Return (d,) truth values: which latent dimensions are active."""
        assert self.moments is not None, "no posterior was added"
        mean, square, prior_variance = self.moments / self.count
        return active_dimensions(square - mean.square(), prior_variance)

    def varying(self) -> list[bool]:
        """Return of each level whether its posterior means differ between images."""
        assert self.moments is not None, "no posterior was added"
        mean, square, _ = self.moments / self.count
        differing = square - mean.square() > SAME * square
        return [bool(own.any()) for own in torch.split(differing, list(self.level_dims))]

    def mutual_information(self) -> tuple[float, float] | None:
        """Return the estimate over the reference set and its ceiling, in nats.

        It is None if the posteriors are not diagonal Gaussians.
        """
        if not self.kept:
            return None
        means, log_variances, samples = zip(*self.kept, strict=True)
        mean, log_variance, latents = torch.cat(means), torch.cat(log_variances), torch.cat(samples)
        estimate = mutual_information(DiagonalGaussian(mean, log_variance), latents)
        return float(estimate), math.log(len(mean))

    def metrics(self) -> dict[str, float]:
        """Return active units and mutual information by name; empty without posteriors."""
        if not self.count:
            return {}
        metrics = {"active_units": float(self.active().sum())}
        metrics |= numbered("kl", self.rate_of_levels())
        information = self.mutual_information()
        if information is not None:
            metrics["mutual_information"], metrics["mutual_information_ceiling"] = information
        used = [used_of(usage) for usage in self.usage]
        metrics |= by_level("codes_used", [float(count) for count, _ in used])
        return metrics | by_level("perplexity", [perplexity for _, perplexity in used])

    def verdict(self) -> str:
        """Return a plain sentence that says whether the latent has collapsed."""
        return "; ".join(self.verdicts())

    def verdicts(self) -> list[str]:
        """Return such a sentence for each level of codes, or one for all latents."""
        if self.usage:
            return verdicts_on_codes(self.usage, self.varying())
        units = self.active()
        active, dimensions = int(units.sum()), len(units)
        numbers = f"{active} of {dimensions} units active, KL {self.rate():.2f} nats"
        words = ("the latent is", "the units idle")
        levels = verdict_on_levels(self.rate_of_levels(), torch.split(units, list(self.level_dims)))
        # Active units say nothing of an image where their KL is that of none.
        silent = dimensions if self.rate() < SILENT else 0
        return [verdict_on(active, dimensions, silent, words, numbers) + levels]


def added(total: Tensor | None, value: Tensor) -> Tensor:
    """Return a running sum with one more value; None stands for an empty sum."""
    return value if total is None else total + value


def all_added(totals: list[Tensor], values: Sequence[Tensor]) -> list[Tensor]:
    """Return running sums with one more value each; an empty list stands for empty sums."""
    if not totals:
        return list(values)
    return [total + value for total, value in zip(totals, values, strict=True)]


def on_cpu(value: Tensor | None) -> Tensor | None:
    """Return a tensor on the CPU, or None for None."""
    return None if value is None else value.cpu()

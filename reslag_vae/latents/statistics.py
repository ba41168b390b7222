"""What a latent code carries, summed up over an evaluation: the evidence for or against a collapse."""

import itertools
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae.latents.gaussian import DiagonalGaussian, mutual_information

# A unit is active if the variance of its posterior mean over the data exceeds this (Burda et al.
# 2016, section 5.2).
ACTIVE_VARIANCE = 0.01


def active_dimensions(means: Tensor) -> Tensor:
    """(d,) whether each latent dimension is active, from the (N, d) posterior means of all images."""
    return means.double().var(0, unbiased=False) > ACTIVE_VARIANCE


@dataclass
class LatentStatistics:
    """Statistics of the posteriors of one evaluation, accumulated batch by batch on the device.

    Args:
        reference: how many posteriors (the first ones) estimate the mutual information, whose
            ceiling is the logarithm of that number.
    """

    reference: int = 2048
    count: int = 0
    sums: Tensor | None = None
    kept: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)

    def add(self, posterior: DiagonalGaussian, latents: Tensor, kl: Tensor) -> None:
        """Take in B posteriors, their (B, d) samples and their (B, d) KL in nats."""
        mean = posterior.mean.double()
        sums = torch.stack([kl.double().sum(0), mean.sum(0), mean.square().sum(0)])
        self.sums = sums if self.sums is None else self.sums + sums
        room = self.reference - self.count
        if room > 0:
            self.kept.append((posterior.mean[:room], posterior.log_variance[:room], latents[:room]))
        self.count += len(mean)

    def of_all(self) -> "LatentStatistics":
        """Of what all processes have taken in, turn by turn; each must ask for it."""
        if collectives.count() == 1:
            return self
        united = LatentStatistics(self.reference)
        kept = [
            (mean.cpu(), log_variance.cpu(), latents.cpu())
            for mean, log_variance, latents in self.kept
        ]
        shares = collectives.objects(
            (self.count, None if self.sums is None else self.sums.cpu(), kept)
        )
        for count, sums, _ in shares:
            if sums is not None:
                united.count += count
                united.sums = sums if united.sums is None else united.sums + sums
        room = self.reference
        for turn in itertools.chain.from_iterable(
            itertools.zip_longest(*(kept for _, _, kept in shares))
        ):
            if turn is not None and room > 0:
                mean, log_variance, latents = turn
                united.kept.append((mean[:room], log_variance[:room], latents[:room]))
                room -= len(mean[:room])
        return united

    def kl_per_dimension(self) -> Tensor:
        """(d,) mean KL of each latent dimension, in nats."""
        assert self.sums is not None, "no posterior was added"
        return self.sums[0] / self.count

    def active(self) -> Tensor:
        """(d,) whether each latent dimension is active."""
        assert self.sums is not None, "no posterior was added"
        variance = self.sums[2] / self.count - (self.sums[1] / self.count).square()
        return variance > ACTIVE_VARIANCE

    def mutual_information(self) -> tuple[float, float]:
        """The estimate over the reference set and its ceiling, in nats."""
        mean, log_variance, latents = (torch.cat(parts) for parts in zip(*self.kept, strict=True))
        estimate = mutual_information(DiagonalGaussian(mean, log_variance), latents)
        return float(estimate), math.log(len(mean))

    def verdict(self) -> str:
        """One plain sentence: has the latent collapsed?"""
        active, dimensions = int(self.active().sum()), len(self.active())
        kl = float(self.kl_per_dimension().sum())
        units = f"{active} of {dimensions} units active, KL {kl:.2f} nats"
        if active == 0:
            return f"COLLAPSED: the code says nothing of the image ({units})"
        if active <= dimensions // 2:
            return f"partly collapsed: at most half of the latent is used ({units})"
        if active < dimensions:
            return f"no collapse, but {dimensions - active} of the units idle ({units})"
        return f"no collapse ({units})"

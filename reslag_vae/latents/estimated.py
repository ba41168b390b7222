"""Priors whose mean and variance are estimated by samples."""

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.latents.base import Density, Prior
from reslag_vae.latents.noise import balanced_normal_rows
from reslag_vae.latents.remembered import Remembered

# Latents that pass a network at a time, which bounds the memory.
ROWS = 1024

# Samples that estimate mean and variance.
MOMENT_SAMPLES = 4096


class EstimatedPrior(Prior):
    """A prior that gives a log-density and samples, and its moments by these.

    Args:
        latent_dim: d, the number of latent dimensions.
        noise_dim: number of standard normal numbers that a sample is made of; None for d.
    """

    def __init__(self, latent_dim: int, noise_dim: int | None = None) -> None:
        super().__init__(latent_dim, noise_dim)
        self.remembered: Remembered[tuple[Tensor, Tensor]] = Remembered()

    @abstractmethod
    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (B,) log-density of (B, d) latents, or a lower bound on it, in nats."""

    @abstractmethod
    def samples_of(self, noise: Tensor) -> Tensor:
        """Return (B, d) samples of (B, noise_dim) scaled noise, all at once."""

    def forward(self, context: Tensor | None = None) -> Density:
        return EstimatedDensity(self)

    def from_noise(
        self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None
    ) -> Tensor:
        scaled = noise if temperature == 1 else temperature * noise
        return torch.cat([self.samples_of(part) for part in torch.split(scaled, ROWS)])

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return the (d,) mean and the (d,) variance, estimated by 4096 samples.

        The samples are the same at every call. Mean and variance of their noise are exactly those
        of N(0, I), so that of an affine map these are exact.
        """
        return self.remembered.get([*self.parameters(), *self.buffers()], self._moments)

    @torch.no_grad()
    def _moments(self) -> tuple[Tensor, Tensor]:
        noise = balanced_normal_rows(MOMENT_SAMPLES, self.noise_dim).to(next(self.parameters()))
        variance, mean = torch.var_mean(self.from_noise(noise), 0, correction=0)
        return mean, variance


class EstimatedDensity(NamedTuple):
    """The density of such a prior.

    Attributes:
        prior: the prior.
    """

    prior: EstimatedPrior

    @property
    def mean(self) -> Tensor:
        """The (d,) mean, estimated: see `EstimatedPrior.moments`."""
        return self.prior.moments()[0]

    @property
    def variance(self) -> Tensor:
        """(d,), estimated: see `EstimatedPrior.moments`."""
        return self.prior.moments()[1]

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (B,) log-density of (B, d) latents, or a lower bound on it, in nats."""
        return self.prior.log_prob(latents)

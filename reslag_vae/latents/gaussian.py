"""Diagonal Gaussians over latents: the usual posterior of a variational model."""

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from reslag_vae.latents.base import LevelDensity, LevelPosterior, repeated

LOG_VARIANCE_BOUND = 20.0


def bounded(raw: Tensor) -> Tensor:
    """Return log-variances bounded smoothly to (-20, 20), of any numbers.

    Their exponentials stay finite in float32, and the gradient never vanishes where a network
    works; near zero the map is the identity.
    """
    return LOG_VARIANCE_BOUND * torch.tanh(raw / LOG_VARIANCE_BOUND)


class DiagonalGaussian(NamedTuple):
    """The densities N(mean, diag(exp(log_variance))), one for each image.

    Attributes:
        mean: (B, d) means.
        log_variance: (B, d) natural logarithms of the variances.
    """

    mean: Tensor
    log_variance: Tensor

    @property
    def has_density(self) -> bool:
        """True: a Gaussian has a density, and hence a KL."""
        return True

    @property
    def variance(self) -> Tensor:
        """(B, d)."""
        return self.log_variance.exp()

    @classmethod
    def from_parameters(cls, parameters: Tensor) -> Self:
        """Return the densities of an encoder's (B, 2 d) output: means, then raw log-variances.

        See `bounded` for how the log-variances come of those.
        """
        mean, raw = parameters.chunk(2, dim=-1)
        return cls(mean, bounded(raw))

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Return a (B, d) reparametrised sample, mean + std * noise.

        Args:
            noise: (B, d) standard normal numbers; drawn if None.
        """
        noise = torch.randn_like(self.mean) if noise is None else noise
        return self.mean + (self.log_variance / 2).exp() * noise

    def from_noise(self, noise: Tensor, temperature: float) -> Tensor:
        """Return a (B, d) sample.

        Args:
            noise: (B, d) standard normal numbers.
            temperature: factor of the standard deviations.
        """
        return self.rsample(temperature * noise)

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (B,) log-density of (B, d) latents, in nats."""
        return self.log_probs(latents).sum(-1)

    def log_probs(self, latents: Tensor) -> Tensor:
        """Return the (B, d) log-density of each dimension of (B, d) latents, in nats."""
        squares = (latents - self.mean).square() * (-self.log_variance).exp()
        return -0.5 * (squares + self.log_variance + math.log(2 * math.pi))

    def standard_kl(self) -> Tensor:
        """Return the (B, d) KL(N(mean, var) || N(0, 1)) of each dimension in nats.

        Kingma & Welling 2014, https://arxiv.org/abs/1312.6114, appendix B.
        """
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance)

    def kl(self, prior: Self) -> Tensor:
        """Return the (B, d) KL(q || p) of each dimension to another Gaussian, in nats."""
        difference = self.log_variance - prior.log_variance
        squares = (self.mean - prior.mean).square() * (-prior.log_variance).exp()
        return 0.5 * (squares + difference.exp() - 1 - difference)

    def repeat(self, count: int) -> Self:
        """Return the densities of (B · count) images: each image's, `count` times in a row."""
        return type(self)(*repeated(self, count))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the densities over the dimensions of all parts, one after the other."""
        means, log_variances = [own.mean for own in parts], [own.log_variance for own in parts]
        return cls(torch.cat(means, dim=1), torch.cat(log_variances, dim=1))

    def split(self, widths: Sequence[int]) -> list[Self]:
        """Return the densities of parts of the dimensions, of widths that sum to d."""
        means = torch.split(self.mean, list(widths), dim=1)
        log_variances = torch.split(self.log_variance, list(widths), dim=1)
        return [type(self)(*part) for part in zip(means, log_variances, strict=True)]


class GaussianPosterior(LevelPosterior):
    """A posterior with a mean and a log-variance for each latent dimension."""

    name = "diagonal_gaussian"
    parameters_per_latent = 2

    def forward(self, features: Tensor) -> LevelDensity:
        return DiagonalGaussian.from_parameters(features)

    def prior_of(self, numbers: Tensor) -> LevelDensity:
        return DiagonalGaussian.from_parameters(numbers)

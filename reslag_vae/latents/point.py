"""The posterior of a deterministic autoencoder: all mass at one code."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from reslag_vae.latents.base import Posterior, PosteriorDensity, repeated


class Point(NamedTuple):
    """Point masses, each at the code of an image, which have no density and hence no KL.

    Attributes:
        mean: (B, d) codes.
    """

    mean: Tensor

    @property
    def has_density(self) -> bool:
        """False: all mass lies on a point."""
        return False

    @property
    def variance(self) -> Tensor:
        """(B, d) zeros."""
        return torch.zeros_like(self.mean)

    @property
    def log_variance(self) -> None:
        """None: a point has no variance."""
        return None

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Return the (B, d) codes themselves."""
        return self.mean

    def log_prob(self, latents: Tensor) -> Tensor:
        """Raise a TypeError, because a point has no density.

        Raises:
            TypeError: always.
        """
        raise TypeError("A point posterior (model=autoencoder) has no density.")

    def standard_kl(self) -> None:
        """Return None: the KL of a point mass to N(0, I) is infinite."""
        return None

    def repeat(self, count: int) -> Self:
        """Return (B · count) codes: each one, `count` times in a row."""
        return type(self)(*repeated(self, count))


class PointPosterior(Posterior):
    """A posterior whose mass lies on the code that the inference network gives."""

    name = "point"
    provides = frozenset({"point"})
    parameters_per_latent = 1

    def forward(self, features: Tensor) -> PosteriorDensity:
        return Point(features)

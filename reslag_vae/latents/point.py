"""The posterior of a deterministic autoencoder: all mass at one code."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

from reslag_vae.latents.base import Posterior, PosteriorDensity, repeated


class Point(NamedTuple):
    """All mass at one code. It has no density, hence no KL.

    Attributes:
        mean: (B, d).
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
        """None: there is no variance."""
        return None

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Return the (B, d) code itself."""
        return self.mean

    def log_prob(self, latents: Tensor) -> Tensor:
        """Refuse: there is no density.

        Raises:
            TypeError: always.
        """
        raise TypeError("A point posterior (model=autoencoder) has no density.")

    def standard_kl(self) -> None:
        """Return None: the KL of a point mass to N(0, I) is infinite."""
        return None

    def repeat(self, count: int) -> Self:
        """Return (B · count) codes, each one `count` times in a row."""
        return type(self)(*repeated(self, count))


class PointPosterior(Posterior):
    """The inference network's numbers are the code."""

    name = "point"
    provides = frozenset({"point"})
    parameters_per_latent = 1

    def forward(self, features: Tensor) -> PosteriorDensity:
        return Point(features)

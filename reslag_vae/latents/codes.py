"""Discrete latents: grids of codes, each of which stands for a vector."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from reslag_vae.latents.base import Posterior, repeated


class Coded(NamedTuple):
    """Point masses over codes: of each image one code at every position of a grid.

    Attributes:
        mean: (B, d) vectors of the codes, position by position within each channel; their gradient
            goes straight through to the encoder's outputs.
        indices: (B, N) numbers of the codes.
        encoded: (B, d) the encoder's outputs.
        codes: K, the number of codes.
    """

    mean: Tensor
    indices: Tensor
    encoded: Tensor
    codes: int

    def usage(self) -> Tensor:
        """Return how many positions use each of the K codes, (K,)."""
        return torch.bincount(self.indices.flatten(), minlength=self.codes)

    @property
    def has_density(self) -> bool:
        """True: of codes it has a mass, and hence a KL to a mass of codes."""
        return True

    @property
    def variance(self) -> Tensor:
        """(B, d) zeros."""
        return torch.zeros_like(self.mean)

    @property
    def log_variance(self) -> None:
        """None: a mass at one code has no variance."""
        return None

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Return the (B, d) vectors of the codes themselves."""
        return self.mean

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (B,) logarithms of the masses of the images' own codes: zeros."""
        return latents.new_zeros(len(latents))

    def standard_kl(self) -> None:
        """Return None: codes have no KL to a density."""
        return None

    def repeat(self, count: int) -> Self:
        """Return the codes of (B · count) images: each image's, `count` times in a row."""
        mean, indices, encoded = repeated(self[:3], count)
        return type(self)(mean, indices, encoded, self.codes)


class CodePosterior(Posterior):
    """A posterior that replaces the encoder's vector at each position by that of a code.

    Attributes:
        codes: K, the number of codes.
        code_dim: numbers in the vector of a code.
    """

    provides = frozenset({"density", "codes"})
    requires = frozenset({"grid", "code_mass"})
    parameters_per_latent = 1
    codes: int
    code_dim: int

    @abstractmethod
    def indices_of(self, vectors: Tensor) -> Tensor:
        """Return the (...) numbers of the codes that stand for (..., code_dim) vectors."""

    @abstractmethod
    def vectors_of(self, indices: Tensor) -> Tensor:
        """Return the (..., code_dim) vectors of (...) codes."""

    def at_positions(self, latents: Tensor) -> Tensor:
        """Return the (B, N, code_dim) vectors of (B, d) latents, of which d is code_dim · N."""
        return latents.view(len(latents), self.code_dim, -1).transpose(1, 2)

    def as_latents(self, vectors: Tensor) -> Tensor:
        """Return the (B, d) latents of (B, N, code_dim) vectors: channels first, as in a grid."""
        return vectors.transpose(1, 2).flatten(1)

    def latents_of(self, indices: Tensor) -> Tensor:
        """Return the (B, d) latents of (B, N) codes."""
        return self.as_latents(self.vectors_of(indices))

    def codes_at(self, latents: Tensor) -> Tensor:
        """Return the (B, N) codes of (B, d) latents."""
        return self.indices_of(self.at_positions(latents))

    def nearest(self, latents: Tensor) -> Tensor:
        """Return the (B, d) latents of the codes that stand for (B, d) numbers."""
        return self.latents_of(self.codes_at(latents)).to(latents.dtype)


def usages_of(posteriors: Sequence[Any]) -> tuple[Tensor, ...]:
    """Return how many positions use each code, (K_l,) of each level of codes, top first.

    Args:
        posteriors: posterior of each level; those that are no codes are left out.
    """
    return tuple(own.usage() for own in posteriors if isinstance(own, Coded))


def used_of(usage: Tensor) -> tuple[int, float]:
    """Return how many codes were used, and their perplexity: as many, were they used alike.

    Args:
        usage: (K,) uses of each code.
    """
    shares = usage.double() / usage.sum()
    entropy = -torch.special.xlogy(shares, shares).sum()
    return int((usage > 0).sum()), float(entropy.exp())

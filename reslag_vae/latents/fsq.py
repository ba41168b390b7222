"""Finite scalar quantisation: codes that are rounded numbers, without a codebook."""

import math

import torch
from torch import Tensor

from reslag_vae.latents.base import PosteriorDensity, straight_through
from reslag_vae.latents.codes import Coded, CodePosterior
from reslag_vae.options import require

# The outermost levels are reached within the bound, not at its limit.
MARGIN = 1e-3


class FiniteScalarQuantised(CodePosterior):
    """The posterior that rounds each of the encoder's numbers to one of a few levels.

    Mentzer et al. 2024, https://arxiv.org/abs/2309.15505, section 3.1. The number i of a position
    is bounded by tanh and rounded to one of L_i levels, evenly spaced in [-1, 1]; the codes are all
    combinations, K = L_1 · L_2 · ... There is nothing to learn and nothing to add to the loss.

    Args:
        code_dim: numbers at each position, as many as there are levels.
        levels: number of levels of each; the paper has at least 5.

    Raises:
        ValueError: an argument is out of its range, or they do not go together.
    """

    name = "fsq"
    provides = CodePosterior.provides | {"rounded"}
    per_number: Tensor
    steps: Tensor

    def __init__(self, code_dim: int, levels: list[int]) -> None:
        super().__init__()
        require("posterior.code_dim", code_dim)
        require("posterior.levels", levels)
        if code_dim != len(levels):
            raise ValueError(
                f"posterior.levels={list(levels)}: a level for each of network.code_dim={code_dim} "
                "numbers is wanted."
            )
        self.code_dim, self.codes = code_dim, math.prod(levels)
        self.levels = tuple(levels)
        sizes = torch.tensor(self.levels)
        self.register_buffer("per_number", sizes, persistent=False)
        # What one step of each number adds to the code's number, the first one's being 1.
        steps = torch.cat([sizes.new_ones(1), sizes[:-1].cumprod(0)])
        self.register_buffer("steps", steps, persistent=False)

    @property
    def notes(self) -> dict[str, str]:
        levels = " x ".join(map(str, self.levels))
        return {"q(z|x)": f"one of {self.codes} codes at each position, of {levels} levels"}

    def forward(self, features: Tensor) -> PosteriorDensity:
        # Half precision would lose levels.
        exact = torch.promote_types(features.dtype, torch.float32)
        bounded = self.bounded(self.at_positions(features).to(exact))
        with torch.no_grad():
            digits = self._digits(bounded)
            vectors = self._from_digits(digits)
        latents = straight_through(vectors.to(exact), bounded).to(features.dtype)
        indices = (digits * self.steps).sum(-1)
        return Coded(self.as_latents(latents), indices, features, self.codes)

    def bounded(self, encoded: Tensor) -> Tensor:
        """Return (..., code_dim) numbers in units of [-1, 1], which rounding would put on levels.

        Args:
            encoded: (..., code_dim) the encoder's numbers.
        """
        size = self.per_number.to(encoded.dtype)
        half, offset = (size - 1) * (1 + MARGIN) / 2, (size % 2 == 0).to(encoded.dtype) / 2
        # For an even number of levels, shifted so that 0 stays at 0; two levels meet there.
        shift = torch.where(size > 2, offset / half, 0).atanh()
        return ((encoded + shift).tanh() * half - offset) / self._half_width(encoded)

    def indices_of(self, vectors: Tensor) -> Tensor:
        return (self._digits(vectors) * self.steps).sum(-1)

    def vectors_of(self, indices: Tensor) -> Tensor:
        return self._from_digits(indices[..., None] // self.steps % self.per_number)

    def _half_width(self, like: Tensor) -> Tensor:
        return (self.per_number // 2).to(like.dtype)

    def _digits(self, vectors: Tensor) -> Tensor:
        """Return the (..., code_dim) levels, from 0, nearest to numbers in units of [-1, 1]."""
        width = self._half_width(vectors)
        digits = (vectors * width).round() + width
        # Of an even number of levels the outermost one below has no counterpart above. Whole
        # numbers come last: not all that floating point holds is one.
        digits = torch.minimum(digits.clamp_min(0), self.per_number - 1)
        # No number has no level: its latent is none either, and ends the run, which needs a code.
        return digits.nan_to_num(0).long()

    def _from_digits(self, digits: Tensor) -> Tensor:
        width = self.per_number // 2
        return (digits - width).float() / width.float()

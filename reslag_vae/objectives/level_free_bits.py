"""The ELBO in which the first nats of each level of latents are free."""

from typing import ClassVar

import torch
from torch import Tensor

from reslag_vae.latents import Inferred
from reslag_vae.objectives.base import require_level_rates
from reslag_vae.objectives.free_bits import FreeBits


class LevelFreeBits(FreeBits):
    """loss = distortion + the sum over levels of max(nats, KL of the level, mean over images).

    As `FreeBits`, Kingma et al. 2016, https://arxiv.org/abs/1606.04934, Eq. 15, but each level of a
    hierarchy is one group: a level below the bound has no gradient that would switch it off. It
    replaces the warm-up of Sønderby et al. 2016, https://arxiv.org/abs/1602.02282.

    Args:
        nats: of each level, not negative.

    Raises:
        ValueError: it is negative.
    """

    name: ClassVar[str] = "level_free_bits"

    def __init__(self, nats: float = 2.0) -> None:
        super().__init__(nats)

    def formula(self, distortion: str) -> str:
        return f"{distortion} + sum_l max({self.nats:g}, KL_l)"

    @property
    def notes(self) -> dict[str, str]:
        return {"KL_l": "of a level of latents, mean over the minibatch; unclamped at evaluation"}

    def groups(self, inferred: Inferred) -> Tensor:
        return torch.stack(require_level_rates(inferred), dim=1)

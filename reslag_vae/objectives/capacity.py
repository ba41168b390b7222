"""beta-VAE with a controlled increase of capacity."""

from typing import ClassVar

import torch
from torch import Tensor

from reslag_vae.latents import Inferred
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives.base import Objective, Terms, require_kl
from reslag_vae.options import require


class Capacity(Objective):
    """The loss Rec + gamma · |KL - C|, with C rising in equal steps to `capacity` nats.

    It rises in the first `epochs` epochs. Burgess et al. 2018, https://arxiv.org/abs/1804.03599,
    Eq. 8, with the squared error in place of their Bernoulli likelihood. Evaluation always uses the
    final capacity, so that the losses of different epochs compare.

    Args:
        gamma: weight of the distance to the capacity, positive.
        capacity: final KL in nats per image, not negative.
        epochs: length of the rise; 0 starts at the final capacity.

    Raises:
        ValueError: an argument is out of its range.
    """

    name: ClassVar[str] = "capacity"
    requires = frozenset({"density"})
    provides = frozenset({"divergence", "rate", "weighted_kl"})
    current: Tensor

    def __init__(self, gamma: float = 10.0, capacity: float = 25.0, epochs: int = 20) -> None:
        super().__init__()
        require("objective.gamma", gamma)
        require("objective.capacity", capacity)
        require("objective.epochs", epochs)
        self.gamma, self.capacity, self.epochs = gamma, capacity, epochs
        # A tensor: a compiled step would be compiled anew for each value of a number.
        self.register_buffer("current", torch.zeros(()), persistent=False)
        self.begin_epoch(0)

    def formula(self, distortion: str) -> str:
        return f"{distortion} + {self.gamma:g} · |KL - C|"

    @property
    def notes(self) -> dict[str, str]:
        rise = f"rises to {self.capacity:g} nats in {self.epochs} epochs"
        return {"C": f"{rise}; {self.capacity:g} at evaluation"}

    def check_length(self, max_epochs: int) -> None:
        if self.epochs > max_epochs:
            raise ValueError(
                f"objective.epochs={self.epochs}: the capacity would still rise when the run ends "
                f"(trainer.max_epochs={max_epochs}). Shorten it with objective.epochs={max_epochs} "
                f"or less, or train longer with trainer.max_epochs={self.epochs}."
            )

    def begin_epoch(self, epoch: int) -> None:
        self.current.fill_(
            self.capacity * min(1.0, (epoch + 1) / self.epochs) if self.epochs else self.capacity
        )

    def forward(
        self, distortion: Distortion, inferred: Inferred, prior: Tensor | None = None
    ) -> Terms:
        kl = require_kl(inferred)
        capacity = self.current if self.training else self.capacity
        loss = distortion.nll + self.gamma * (kl - capacity).abs()
        return self.terms(loss, distortion, kl, inferred)

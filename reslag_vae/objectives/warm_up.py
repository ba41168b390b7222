"""The ELBO whose KL counts little at first."""

from typing import ClassVar

import torch
from torch import Tensor

from reslag_vae.latents import Inferred
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives.base import Objective, Terms, require_kl
from reslag_vae.options import require


class WarmUp(Objective):
    """loss = distortion + w · KL, w rising by equal steps from `start` to 1, then the ELBO's.

    Bowman et al. 2016, https://arxiv.org/abs/1511.06349, section 3.1, against a latent that is
    ignored before it says anything; He et al. 2019, https://arxiv.org/abs/1901.05534, raise the
    weight from 0.1 in 10 epochs. Evaluation always uses a weight of 1, the ELBO.

    Args:
        start: weight of the KL in the first epoch, from 0 to 1.
        epochs: length of the rise: the epoch after so many is the first one of weight 1.

    Raises:
        ValueError: an argument is out of its range.
    """

    name: ClassVar[str] = "warm_up"
    usual_likelihood = "unit_gaussian"
    requires = frozenset({"density"})
    provides = frozenset({"divergence", "rate", "elbo"})
    weight: Tensor

    def __init__(self, start: float = 0.1, epochs: int = 10) -> None:
        super().__init__()
        require("objective.start", start)
        require("objective.epochs", epochs)
        self.start, self.epochs = start, epochs
        # A tensor: a compiled step would be compiled anew for each value of a number.
        self.register_buffer("weight", torch.ones(()), persistent=False)
        self.begin_epoch(0)

    def formula(self, distortion: str) -> str:
        return f"{distortion} + w · KL"

    @property
    def notes(self) -> dict[str, str]:
        return {"w": f"rises from {self.start:g} to 1 in {self.epochs} epochs; 1 at evaluation"}

    def kl_weight(self, latent_dim: int) -> float:
        return 1.0

    def check_length(self, max_epochs: int) -> None:
        if self.epochs > max_epochs:
            raise ValueError(
                f"objective.epochs={self.epochs}: the weight would still rise when the run ends "
                f"(trainer.max_epochs={max_epochs}). Shorten it with objective.epochs={max_epochs} "
                f"or less, or train longer with trainer.max_epochs={self.epochs}."
            )

    def begin_epoch(self, epoch: int) -> None:
        risen = min(1.0, epoch / self.epochs) if self.epochs else 1.0
        self.weight.fill_(self.start + (1 - self.start) * risen)

    def forward(
        self, distortion: Distortion, inferred: Inferred, prior: Tensor | None = None
    ) -> Terms:
        kl = require_kl(inferred)
        weight = self.weight if self.training else 1.0
        return self.terms(distortion.nll + weight * kl, distortion, kl, inferred)

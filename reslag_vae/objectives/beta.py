"""The objective of beta-VAE."""

from typing import ClassVar

from torch import Tensor

from reslag_vae.latents import Inferred
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives.base import Objective, Terms, require_kl
from reslag_vae.options import require


class Beta(Objective):
    """The loss Rec + beta · Lat, with Lat the KL averaged over the latent dimensions.

    So is the thesis' Table 1. Higgins et al. 2017, https://openreview.net/pdf?id=Sy2fzU9gl, Eq. 4,
    write Rec + beta · KL with the sum: that beta is this one divided by d, and is shown on the card
    as beta_eff.

    Args:
        beta: weight of the averaged KL, positive.

    Raises:
        ValueError: beta is not positive.
    """

    name: ClassVar[str] = "beta"
    requires = frozenset({"density"})
    provides = frozenset({"divergence", "rate", "weighted_kl"})
    averages_kl = True
    beta: float

    def __init__(self, beta: float = 4.0) -> None:
        super().__init__()
        require("objective.beta", beta)
        self.beta = beta

    def formula(self, distortion: str) -> str:
        return f"{distortion} + {self.beta:g} · KL / d"

    def kl_weight(self, latent_dim: int) -> float:
        return self.beta / latent_dim

    def forward(
        self, distortion: Distortion, inferred: Inferred, prior: Tensor | None = None
    ) -> Terms:
        kl = require_kl(inferred)
        loss = distortion.nll + self.beta * (kl / inferred.dimensions)
        return self.terms(loss, distortion, kl, inferred)

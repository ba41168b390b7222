"""The negative evidence lower bound."""

from typing import ClassVar

from torch import Tensor

from reslag_vae.latents import Inferred
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives.base import Objective, Terms, require_kl


class ELBO(Objective):
    """The loss distortion + KL, the negative evidence lower bound.

    Kingma & Welling 2014, https://arxiv.org/abs/1312.6114, Eq. 10. The likelihood defines the
    distortion.
    """

    name: ClassVar[str] = "elbo"
    usual_likelihood = "unit_gaussian"
    requires = frozenset({"density"})
    provides = frozenset({"divergence", "rate", "elbo", "plain_elbo"})

    def formula(self, distortion: str) -> str:
        return f"{distortion} + KL"

    def kl_weight(self, latent_dim: int) -> float:
        return 1.0

    def forward(
        self, distortion: Distortion, inferred: Inferred, prior: Tensor | None = None
    ) -> Terms:
        kl = require_kl(inferred)
        return self.terms(distortion.nll + kl, distortion, kl, inferred)

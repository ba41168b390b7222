"""The ELBO in which a unit's first nats are free."""

from typing import ClassVar

import torch
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae.latents import Inferred
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives.base import Objective, Terms, require_kl, terms
from reslag_vae.options import require


class FreeBits(Objective):
    """loss = distortion + the sum over units of max(nats, KL of the unit in the mean over images).

    Kingma et al. 2016, https://arxiv.org/abs/1606.04934, Eq. 15, each latent dimension a group of
    its own: a unit below the bound has no gradient that would switch it off. The mean is that of
    the whole minibatch. Where the KL of a level has no closed form, as under a flow, all dimensions
    are one group, and share the free nats. The KL that is logged is not clamped, and the loss of
    evaluation is the ELBO's.

    Args:
        nats: of each group, not negative.

    Raises:
        ValueError: it is negative.
    """

    name: ClassVar[str] = "free_bits"
    usual_likelihood = "unit_gaussian"
    requires = frozenset({"density"})
    provides = frozenset({"divergence", "rate", "elbo"})

    def __init__(self, nats: float = 0.1) -> None:
        super().__init__()
        require("objective.nats", nats)
        self.nats = nats

    def formula(self, distortion: str) -> str:
        return f"{distortion} + sum_j max({self.nats:g}, KL_j)"

    @property
    def notes(self) -> dict[str, str]:
        return {
            "KL_j": "of a latent dimension, or of all together where the KL is estimated; mean "
            "over the minibatch; unclamped at evaluation"
        }

    def kl_weight(self, latent_dim: int) -> float:
        return 1.0

    def forward(
        self, distortion: Distortion, inferred: Inferred, prior: Tensor | None = None
    ) -> Terms:
        kl = require_kl(inferred)
        cost = self.clamped(inferred, kl) if self.training else kl
        return terms(distortion.nll + cost, distortion, kl, inferred)

    def clamped(self, inferred: Inferred, kl: Tensor) -> Tensor:
        """Return what the KL costs each image: (B,) nats whose mean over images is the clamped sum.

        If a level has no closed form, all levels are clamped as a whole.
        """
        known = [level for level in inferred.kls if level is not None]
        units = torch.cat(known, dim=1) if len(known) == len(inferred.kls) else kl[:, None]
        means = collectives.mean(units.mean(0))
        return (means.clamp(min=self.nats).sum() - means.sum()) + units.sum(1)

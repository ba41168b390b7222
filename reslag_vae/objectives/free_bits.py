"""The ELBO in which a unit's first nats are free."""

from typing import ClassVar

import torch
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae.latents import Inferred
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives.base import Objective, Terms, require_kl
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
        groups = self.groups(inferred)
        kl = groups.sum(1)
        cost = self.clamped(groups) if self.training else kl
        return self.terms(distortion.nll + cost, distortion, kl, inferred)

    def groups(self, inferred: Inferred) -> Tensor:
        """Return the (B, groups) KL of images in nats, of each group of dimensions: all of it.

        If the KL is estimated, all dimensions are one group.
        """
        known = [level for level in inferred.kls if level is not None]
        if len(known) == len(inferred.kls) and not inferred.estimated:
            return torch.cat(known, dim=1)
        return require_kl(inferred)[:, None]

    def clamped(self, groups: Tensor) -> Tensor:
        """Return what the KL costs each image: (B,) nats whose mean over images is the clamped sum.

        Args:
            groups: (B, groups) KL in nats.
        """
        means = collectives.mean(groups.mean(0))
        return (means.clamp(min=self.nats).sum() - means.sum()) + groups.sum(1)

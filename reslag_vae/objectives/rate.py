"""What latents cost under the prior, by which a prior is fitted after training."""

from typing import ClassVar

from torch import Tensor

from reslag_vae.latents import Inferred
from reslag_vae.latents.inferred import total
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives.base import Objective, Terms


class Rate(Objective):
    """The loss KL(q(z|x) || p(z)), or -log p(z) where the posterior is a point.

    The distortion and the penalties of inference have no part in it, since what they depend on
    stands still: what remains is the fit of p(z) to the latents of all images (Dai & Wipf 2019,
    https://arxiv.org/abs/1903.05789, section 4). Evaluations are those of the objective that the
    rest was trained with.

    Args:
        trained_with: that objective; None if it is not known.
    """

    name: ClassVar[str] = "rate"
    requires = frozenset({"all_but_the_prior_fixed"})
    provides = frozenset({"divergence", "rate", "rate_alone"})

    def __init__(self, trained_with: Objective | None = None) -> None:
        super().__init__()
        self.trained_with = trained_with
        self.beta = None if trained_with is None else trained_with.beta

    def formula(self, distortion: str) -> str:
        return "KL, or -ln p(z) of a point"

    @property
    def notes(self) -> dict[str, str]:
        return {"fitted": "the prior; all else stands still, and no other term is in the loss"}

    def kl_weight(self, latent_dim: int) -> float | None:
        return None if self.trained_with is None else self.trained_with.kl_weight(latent_dim)

    def forward(
        self, distortion: Distortion, inferred: Inferred, prior: Tensor | None = None
    ) -> Terms:
        kl = inferred.rate()
        loss = kl
        if loss is None:
            levels = zip(inferred.priors, inferred.latents, strict=True)
            loss = -total([own.log_prob(latents) for own, latents in levels])
        every = distortion.extras | inferred.penalties
        return Terms(loss, distortion.nll, distortion.rec, kl, every)

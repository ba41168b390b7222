"""Squared error alone: the autoencoder."""

from typing import ClassVar

from torch import Tensor

from reslag_vae.latents.gaussian import Posterior
from reslag_vae.objectives.base import Objective, squared_error
from reslag_vae.records import Terms


class Reconstruction(Objective):
    """loss = Rec. Nothing shapes the latent."""

    name: ClassVar[str] = "reconstruction"
    formula = "Rec"
    needs_density = False

    def forward(
        self,
        images: Tensor,
        reconstruction: Tensor,
        posterior: Posterior,
        latents: Tensor,
        prior: Tensor | None = None,
    ) -> Terms:
        rec = squared_error(images, reconstruction)
        return Terms(loss=rec, rec=rec, kl=posterior.kl())

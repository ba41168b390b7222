"""The objective of the autoencoder: the reconstruction alone."""

from typing import ClassVar

from torch import Tensor

from reslag_vae.latents import Inferred
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives.base import Objective, Terms


class Reconstruction(Objective):
    """The loss distortion alone, so that nothing shapes the latent."""

    name: ClassVar[str] = "reconstruction"

    def formula(self, distortion: str) -> str:
        return distortion

    def forward(
        self, distortion: Distortion, inferred: Inferred, prior: Tensor | None = None
    ) -> Terms:
        return self.terms(distortion.nll, distortion, inferred.rate(), inferred)

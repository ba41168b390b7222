"""The prior N(0, I)."""

import torch
from torch import Tensor

from reslag_vae.latents.base import Density, PosteriorDensity, Prior
from reslag_vae.latents.gaussian import DiagonalGaussian


class StandardNormal(Prior):
    """The prior N(0, I) over d dimensions.

    Args:
        latent_dim: d, the number of latent dimensions.
    """

    name = "standard_normal"
    zeros: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.register_buffer("zeros", torch.zeros(latent_dim), persistent=False)

    def forward(self, context: Tensor | None = None) -> Density:
        return DiagonalGaussian(self.zeros, self.zeros)

    def from_noise(
        self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None
    ) -> Tensor:
        return noise if temperature == 1 else temperature * noise

    def kl(self, posterior: PosteriorDensity, context: Tensor | None = None) -> Tensor | None:
        return posterior.standard_kl()

"""A network and an objective as functions of plain tensors, without training."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from reslag_vae.distributions import DiagonalGaussian, Point, Posterior
from reslag_vae.networks import Network
from reslag_vae.objectives import Objective
from reslag_vae.records import Terms, unit_interval


class LatentVariableModel:
    """What a trained model is used for: encode, decode, reconstruct, sample, interpolate.

    Attributes:
        name: of the variant, as in `model=<name>` on the command line.
        title: as the thesis calls it.
        deterministic: whether the posterior is a point.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    deterministic: ClassVar[bool] = False
    network: Network
    objective: Objective
    device: torch.device

    @property
    def dimensions(self) -> int:
        """D: numbers in an image."""
        return math.prod(self.network.image_shape)

    def posterior(self, images: Tensor) -> Posterior:
        """Posterior of (B, C, H, W) images, uint8 or floating point in [0, 1]."""
        # Only the networks run in autocast's precision: their outputs go back to that of the images.
        images = unit_interval(images)
        parameters = self.network.inference(images).to(images.dtype)
        return Point(parameters) if self.deterministic else DiagonalGaussian.from_parameters(parameters)

    def encode(self, images: Tensor) -> Tensor:
        """(B, d) posterior means of (B, C, H, W) images."""
        return self.posterior(images).mean

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, H, W) likelihood means in [0, 1] of (B, d) latents."""
        images: Tensor = self.network.generative(latents)
        return images.to(latents.dtype)

    def reconstruct(self, images: Tensor) -> Tensor:
        """(B, C, H, W) images decoded from their posterior means."""
        return self.decode(self.encode(images))

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """(count, C, H, W) images decoded from the prior N(0, I).

        `generator` lives on the CPU: the same seed gives the same latents on every device.
        """
        return self.decode(torch.randn(count, self.network.latent_dim, generator=generator).to(self.device))

    def interpolate(self, start: Tensor, end: Tensor, steps: int = 8) -> Tensor:
        """(steps, C, H, W) images on the straight line between the posterior means of two (C, H, W) images."""
        first, last = self.encode(torch.stack([start, end]))
        weights = torch.linspace(0, 1, steps, dtype=first.dtype, device=first.device)[:, None]
        return self.decode(first.lerp(last, weights))

    def likelihood_variance(self) -> Tensor | None:
        """The variance of the objective's Gaussian likelihood, broadcastable to (1, C, H, W); None if it has none."""
        return self.objective.likelihood_variance(self.network.latent_dim)

    def terms(self, images: Tensor, noise: Tensor | None = None, prior: Tensor | None = None) -> Terms:
        """The objective on (B, C, H, W) images, in their own precision (float32 or better) whatever autocast says.

        Args:
            images: uint8, or floating point in [0, 1].
            noise: (B, d) standard normal noise of the posterior's sample; drawn if None.
            prior: (B, d) samples of the prior, for objectives that draw any; drawn if None.
        """
        return self.all_terms(images, noise, prior)[0]

    def all_terms(
        self, images: Tensor, noise: Tensor | None = None, prior: Tensor | None = None
    ) -> tuple[Terms, Posterior, Tensor]:
        """As `terms`, with the posterior and its (B, d) sample."""
        images = unit_interval(images)
        posterior = self.posterior(images)
        latents = posterior.sample(noise)
        if self.objective.draws_prior and prior is None:
            prior = torch.randn_like(latents)
        terms: Terms = self.objective(images, self.decode(latents), posterior, latents, prior)
        return terms, posterior, latents

    def card(self) -> dict[str, str]:
        """The objective card: what is minimised, in which units, as label -> text."""
        latent = self.network.latent_dim
        equivalent = self.objective.equivalent_sigma2(latent)
        lines = {
            "model": f"{self.name}: {type(self.network).__name__}, latent d = {latent}",
            "objective": f"{self.objective.name}: mean over images of {self.objective.formula}",
            "Rec": f"sum of squared errors over D = {self.dimensions} numbers in [0, 1]",
        }
        if not self.deterministic:
            lines["KL"] = f"sum over the d = {latent} dimensions, nats per image"
        lines |= self.objective.notes
        if equivalent is not None:
            lines["beta_eff"] = f"{2 * equivalent:g} in Rec + beta · KL, as a likelihood variance {equivalent:g}"
        return lines

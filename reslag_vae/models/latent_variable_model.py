"""A network and an objective as functions of plain tensors, without training."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from reslag_vae.latents.gaussian import DiagonalGaussian, Point, Posterior
from reslag_vae.models.inputs import as_images, as_latents, check_count, on_model
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
        # Only the networks run in autocast's precision: their outputs go back to that of the
        # images.
        images = unit_interval(images)
        parameters = self.network.inference(images).to(images.dtype)
        return (
            Point(parameters)
            if self.deterministic
            else DiagonalGaussian.from_parameters(parameters)
        )

    def likelihood_mean(self, latents: Tensor) -> Tensor:
        """(B, C, H, W) likelihood means in [0, 1] of (B, d) latents, which are not looked at."""
        images: Tensor = self.network.generative(latents)
        return images.to(latents.dtype)

    @property
    def parameter(self) -> Tensor:
        """One of the network's, for its precision and its device."""
        return next(self.network.parameters())

    # What others call: each looks at what it is given, once. `inputs.as_images` says what is taken
    # for images.

    def encode(self, images: Any) -> Tensor:
        """(B, d) posterior means of (B, C, H, W) images.

        Raises:
            ValueError: they are no images of the model's shape, or their values none of pixels.
        """
        return self.posterior(
            on_model(as_images(images, self.network.image_shape), self.parameter)
        ).mean

    def decode(self, latents: Any) -> Tensor:
        """(B, C, H, W) likelihood means in [0, 1] of (B, d) latents.

        Raises:
            ValueError: they are no finite latents of the model's dimensions.
        """
        return self.likelihood_mean(as_latents(latents, self.network.latent_dim, self.parameter))

    def reconstruct(self, images: Any) -> Tensor:
        """(B, C, H, W) images decoded from their posterior means.

        Raises:
            ValueError: as `encode`.
        """
        return self.likelihood_mean(self.encode(images))

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """(count, C, H, W) images decoded from the prior N(0, I).

        `generator` lives on the CPU: the same seed gives the same latents on every device.

        Raises:
            ValueError: the count is no whole number, or the generator lives elsewhere.
        """
        check_count("count", count)
        if generator is not None and (
            not isinstance(generator, torch.Generator) or generator.device.type != "cpu"
        ):
            raise ValueError(
                f"generator={generator}: must be null or a torch.Generator on the CPU."
            )
        latents = torch.randn(
            count, self.network.latent_dim, dtype=torch.float32, generator=generator
        )
        return self.likelihood_mean(latents.to(self.parameter))

    def interpolate(self, start: Any, end: Any, steps: int = 8) -> Tensor:
        """(steps, C, H, W) images on the straight line between the posterior means of two (C, H, W) images.

        Raises:
            ValueError: as `encode`; more than one image for an end; a number of steps that is none.
        """
        check_count("steps", steps)
        first, last = self.encode(start), self.encode(end)
        if len(first) != 1 or len(last) != 1:
            raise ValueError(
                f"images: one for each end is wanted, and these are {len(first)} and {len(last)}."
            )
        weights = torch.linspace(0, 1, steps, dtype=first.dtype, device=first.device)[:, None]
        return self.likelihood_mean(first.lerp(last, weights))

    def likelihood_variance(self) -> Tensor | None:
        """The variance of the objective's Gaussian likelihood, broadcastable to (1, C, H, W); None if it has none."""
        return self.objective.likelihood_variance(self.network.latent_dim)

    def terms(
        self, images: Tensor, noise: Tensor | None = None, prior: Tensor | None = None
    ) -> Terms:
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
        terms: Terms = self.objective(
            images, self.likelihood_mean(latents), posterior, latents, prior
        )
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
            lines["beta_eff"] = (
                f"{2 * equivalent:g} in Rec + beta · KL, as a likelihood variance {equivalent:g}"
            )
        return lines

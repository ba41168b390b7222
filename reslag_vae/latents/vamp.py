"""The prior that is a mixture of the model's own posteriors."""

import math

import torch
from torch import Tensor, nn

from reslag_vae.latents.base import Density, Level, Prior
from reslag_vae.latents.mixture import Mixture
from reslag_vae.latents.remembered import Remembered
from reslag_vae.networks.normalization import with_running_averages
from reslag_vae.options import require

# Mean and standard deviation of the pixels that pseudo-inputs start with.
GREY, SPREAD = 0.5, 0.1


class VampPrior(Prior):
    """The prior p(z) = 1/K sum_k q(z|u_k) with trained pseudo-inputs u_k.

    Tomczak & Welling 2018, https://arxiv.org/abs/1705.07120. A pseudo-input is an image, its
    parameters cut off at 0 and 1. They are in the generative group, start as greys of N(0.5, 0.1²)
    and not as training images, and are moved by the KL to the prior: the loss must hold one. As in
    the authors' code, that KL's gradient reaches the encoder through q(z|x) and through q(z|u_k):
    an inference update moves the encoder by both, and leaves the pseudo-inputs alone.

    Batch normalisation sees pseudo-inputs by its running averages, in training too, so that the
    prior of training is that of evaluation, and its averages are those of images alone.

    Args:
        latent_dim: d, the number of latent dimensions.
        image_shape: (C, H, W) of the images.
        pseudo_inputs: K, the number of pseudo-inputs.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "vamp"
    requires = frozenset({"rate", "density"})

    def __init__(
        self, latent_dim: int, image_shape: tuple[int, int, int], pseudo_inputs: int = 500
    ) -> None:
        super().__init__(latent_dim, noise_dim=1 + latent_dim)
        require("prior.image_shape", image_shape)
        require("prior.pseudo_inputs", pseudo_inputs)
        channels, height, width = image_shape
        self.image_shape = (channels, height, width)
        self.pixels = nn.Parameter(GREY + SPREAD * torch.randn(pseudo_inputs, *image_shape))
        # In a tuple: modules of the model, and none of this prior.
        self.inference: tuple[nn.Module, ...] = ()
        self.remembered: Remembered[Mixture] = Remembered()

    @property
    def notes(self) -> dict[str, str]:
        return {
            "p(z)": f"VampPrior of {len(self.pixels)} pseudo-inputs, learned",
            "KL": "estimated by the one sample of each posterior, nats per image",
        }

    def bind(self, level: Level) -> None:
        assert level.encoder is not None, "models whose encoder takes more refuse this prior"
        self.inference = (level.encoder, level.posterior)

    def forward(self, context: Tensor | None = None) -> Density:
        return self.mixture()

    def from_noise(
        self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None
    ) -> Tensor:
        return self.mixture().from_noise(noise, temperature)

    def mixture(self) -> Mixture:
        """Return the mixture of the pseudo-inputs' posteriors.

        Without gradients it is computed once for each state of the pseudo-inputs and the encoder.
        """
        if torch.is_grad_enabled():
            return self._mixture()
        tensors: list[Tensor] = [self.pixels]
        for module in self.inference:
            tensors += [*module.parameters(), *module.buffers()]
        return self.remembered.get(tensors, self._mixture)

    def _mixture(self) -> Mixture:
        assert len(self.inference) == 2, "the model binds its prior"
        encoder, posterior = self.inference
        images = self.pixels.clamp(0, 1)
        density = posterior(with_running_averages(encoder, images).to(images.dtype))
        log_weights = images.new_full((len(images),), -math.log(len(images)))
        return Mixture(log_weights, density.mean, density.log_variance)

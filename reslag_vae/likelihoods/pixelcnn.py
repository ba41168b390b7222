"""A likelihood that gives every pixel by the latents and the pixels before it."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from reslag_vae.likelihoods.base import Distortion, Likelihood, squared_error
from reslag_vae.likelihoods.masses import MASSES
from reslag_vae.networks.base import ImageShape
from reslag_vae.networks.pixelcnn import GatedPixelCNN, kept_bytes
from reslag_vae.networks.pixelcnn_sampling import generate
from reslag_vae.options import require


class PixelCNN(Likelihood):
    """p(x|z) as the product over pixels of p(x_i | x_1, ..., x_{i-1}, z), by a gated PixelCNN.

    van den Oord et al. 2016, https://arxiv.org/abs/1606.05328; as a VAE's likelihood, Gulrajani et
    al. 2017, https://arxiv.org/abs/1611.05013. The network's outputs are features that condition
    every pixel. One pass gives the log-probability; samples are drawn pixel by pixel. The mean of
    an image has no closed form.

    Args:
        image_shape: (C, H, W).
        pixels: mass of a pixel: `bernoulli` where it is 0 or 1, `levels` for 256 greys,
            `logistic_mixture` for colours.
        channels: features of each of the two stacks.
        layers: gated layers.
        first_kernel: odd size of the first layer's field.
        kernel: odd size of the other layers' field; 1 leaves the field to the first layer.
        conditioned: gated layers that see the latents, from the first on; None is all.
        parameters_per_channel: features of the latents for each of the image's channels; 0 where
            there are no latents.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "pixelcnn"
    provides = frozenset({"autoregressive"})
    discrete = True
    has_mean = False
    shortcuts: ClassVar[bool] = False
    formula = "-sum ln p(x_i|x_<i, z)"

    def __init__(
        self,
        image_shape: ImageShape,
        pixels: str = "bernoulli",
        channels: int = 32,
        layers: int = 6,
        first_kernel: int = 7,
        kernel: int = 3,
        conditioned: int | None = None,
        parameters_per_channel: int = 16,
    ) -> None:
        super().__init__()
        sizes = {
            "image_shape": image_shape,
            "pixels": pixels,
            "channels": channels,
            "layers": layers,
            "first_kernel": first_kernel,
            "kernel": kernel,
            "conditioned": conditioned,
            "parameters_per_channel": parameters_per_channel,
        }
        for option, value in sizes.items():
            require(f"likelihood.{option}", value)
        if conditioned is not None and conditioned > layers:
            raise ValueError(
                f"likelihood.conditioned={conditioned}: must be at most "
                f"likelihood.layers={layers}; null is all of them."
            )
        self.image_shape = (image_shape[0], image_shape[1], image_shape[2])
        self.mass = MASSES[pixels](image_shape[0])
        self.binary = self.mass.binary
        several = "logistic_mixture" if image_shape[0] > 1 else "levels"
        self.for_greys = f"likelihood.pixels={several}"
        self.parameters_per_channel = parameters_per_channel
        self.network = GatedPixelCNN(
            image_channels=image_shape[0],
            context_channels=image_shape[0] * parameters_per_channel,
            outputs=self.mass.outputs,
            channels=channels,
            layers=layers,
            first_kernel=first_kernel,
            kernel=kernel,
            conditioned=conditioned,
            shortcuts=self.shortcuts,
        )

    @property
    def notes(self) -> dict[str, str]:
        layers, above = len(self.network.layers), self.network.rows_above
        halves = " in two halves with short-cuts" if self.shortcuts else ""
        pixels = math.prod(self.image_shape[1:])
        weights = sum(own.numel() for own in self.network.parameters())
        size = self.image_shape[1], self.image_shape[2]
        kept = kept_bytes(self.network, size, self.mass.log_prob)
        return {
            "p(x|z)": (
                f"gated PixelCNN of {layers} layers{halves} that sees {above} rows above a pixel; "
                f"mass of a pixel: {self.mass.name}; in nats"
            ),
            "Rec": "squared errors of each pixel's mean given the pixels before it: no distance "
            "between an image and its reconstruction",
            "cost": (
                f"{weights * pixels / 1e9:.3g} billion multiplications for p(x|z) of an image; "
                f"training keeps {kept / 1e6:,.3g} MB of it in float32"
            ),
        }

    def link(self, outputs: Tensor) -> Tensor:
        return outputs

    def outputs(self, images: Tensor, parameters: Tensor) -> Tensor:
        """Return the (B, O, H, W) numbers of each pixel's mass, in the precision of the images."""
        outputs: Tensor = self.network(images, parameters)
        # One map after the other: a mass takes them apart.
        return outputs.to(images.dtype).contiguous()

    def forward(self, images: Tensor, parameters: Tensor) -> Distortion:
        outputs = self.outputs(images, parameters)
        nll = -self.mass.log_prob(images, outputs).flatten(1).sum(1)
        return Distortion(nll, squared_error(images, self.mass.mean(outputs.detach())), {})

    def log_prob(self, images: Tensor, parameters: Tensor) -> Tensor:
        outputs = self.outputs(images, parameters)
        return self.mass.log_prob(images, outputs).flatten(1).sum(1)

    def mean(self, parameters: Tensor) -> None:
        return None

    def sample(self, parameters: Tensor, generator: torch.Generator | None = None) -> Tensor:
        count, size = len(parameters), self.image_shape[1:]
        uniforms = torch.rand(count, self.mass.uniforms, *size, generator=generator).to(parameters)
        return self.from_uniforms(parameters, uniforms)

    def from_uniforms(self, parameters: Tensor, uniforms: Tensor) -> Tensor:
        """Return (B, C, H, W) samples, each a function of its own row of (B, U, H, W) uniforms."""

        def draw(outputs: Tensor, row: int, column: int) -> Tensor:
            # Levels are not whole in the half precision of a network under autocast.
            return self.mass.draw(outputs.to(uniforms.dtype), uniforms[:, :, row, column])

        size = self.image_shape[1], self.image_shape[2]
        return generate(self.network, parameters, size, draw)

    def divergence(self, parameters: Tensor, others: Tensor) -> Tensor:
        """Return an unbiased estimate of the (B,) KL, by one sample in each direction."""
        generator = torch.Generator().manual_seed(0)
        shape = (len(parameters), self.mass.uniforms, *self.image_shape[1:])
        uniforms = torch.rand(shape, generator=generator).to(parameters)
        ratios = []
        for own, other in ((parameters, others), (others, parameters)):
            images = self.from_uniforms(own, uniforms)
            ratios.append(self.log_prob(images, own) - self.log_prob(images, other))
        return (ratios[0] + ratios[1]) / 2

"""The base class of networks: an inference and a generative module that share only the latent."""

from typing import Any, ClassVar

import torch
from torch import nn

from reslag_vae._runtime.described import Described
from reslag_vae.options import require

ImageShape = tuple[int, int, int]

# Of networks that are made without saying more: three stages, which images from 8x8 on allow.
CHANNELS, BLOCKS = (32, 64, 128), (1, 1, 1)

# 4 gigabytes in float32, and thrice as much with their gradients and moments.
MOST_WEIGHTS = 1 << 30


class Network(Described, nn.Module):
    """The base class of networks: an inference module and a generative module.

    The weights are stored with channels last, the memory layout in which convolutions are fastest.

    Args:
        inference: module from images to posterior parameters.
        generative: module from latents to likelihood parameters.
        image_shape: (C, H, W) of the images.
        latent_dim: d, the number of latent dimensions.
        parameters_per_latent: 2 for mean and log-variance, 1 for a deterministic code.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.
        conditions: numbers that a conditional model's decoder is given beside the latent.

    Attributes:
        name: the network's name, as in `network=<name>` on the command line.
        inference: maps (B, C, H, W) images in [0, 1] to (B, d · parameters_per_latent) posterior
            parameters.
        generative: maps (B, d + conditions) latents, followed by what is told of the images, to
            (B, C · parameters_per_channel, H, W) likelihood parameters, before the likelihood's
            link.
        image_shape: (C, H, W).
        latent_dim: d, of all levels of latents.
        level_dims: dimensions of each level, top first; most networks have one level.
        level_parameters: numbers that the inference module gives for each level.
        parameters_per_latent: 2 for mean and log-variance, 1 for the code of a deterministic
            autoencoder.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.
        conditions: numbers that the decoder is given beside the latent; 0 unless the model is
            conditional.
        grid: (H, W) of the positions of a latent that is a grid of vectors; None of others.
        provides: what variants may require.

    Raises:
        ValueError: the latent is not smaller than the image, so nothing would be compressed, or the
            stages do not fit the image; or inference or generative is no module, or has lazy layers
            that were not called yet.
    """

    name: ClassVar[str]
    provides: ClassVar[frozenset[str]] = frozenset()
    grid: tuple[int, int] | None = None

    def __init__(
        self,
        inference: nn.Module,
        generative: nn.Module,
        image_shape: ImageShape,
        latent_dim: int,
        parameters_per_latent: int = 2,
        parameters_per_channel: int = 1,
        conditions: int = 0,
    ) -> None:
        super().__init__()
        check_module("inference", inference)
        check_module("generative", generative)
        self.inference, self.generative = inference, generative
        channels, height, width = image_shape
        self.image_shape, self.latent_dim = (channels, height, width), latent_dim
        self.parameters_per_latent = parameters_per_latent
        self.parameters_per_channel = parameters_per_channel
        self.conditions = conditions
        self.level_dims: tuple[int, ...] = (latent_dim,)
        self.level_parameters: tuple[int, ...] = (latent_dim * parameters_per_latent,)
        self.to(memory_format=torch.channels_last)

    def extra_repr(self) -> str:
        """Return the shapes that the printed module shows."""
        return f"image_shape={self.image_shape}, latent_dim={self.latent_dim}"


def check_module(name: str, given: Any) -> None:
    """Refuse what is no module, or one whose parameters have no shapes yet.

    Args:
        name: name of the argument.
        given: value of the argument.

    Raises:
        ValueError: the message says what is wanted.
    """
    if not isinstance(given, nn.Module):
        raise ValueError(
            f"{name}: a torch.nn.Module is wanted, whose parameters are trained, and this is "
            f"{type(given).__name__}."
        )
    if any(isinstance(own, nn.UninitializedParameter) for own in given.parameters()):
        raise ValueError(f"{name}: its lazy layers have no weights yet: call it once before.")


def check_sizes(
    image_shape: ImageShape, latent_dim: int, channels: list[int], blocks: list[int]
) -> None:
    """Refuse a network that cannot be built or compresses nothing, before it is built.

    Raises:
        ValueError: a size is wrong; the message names the option and its limit.
    """
    sizes = {
        "image_shape": image_shape,
        "latent_dim": latent_dim,
        "channels": channels,
        "blocks": blocks,
    }
    for name, value in sizes.items():
        require(f"network.{name}", value)
    dimensions = image_shape[0] * image_shape[1] * image_shape[2]
    if not 0 < latent_dim < dimensions:
        raise ValueError(
            f"network.latent_dim={latent_dim}: the latent must be smaller than the image's "
            f"{dimensions} numbers ({' x '.join(map(str, image_shape))}) and at least 1."
        )
    if len(channels) != len(blocks):
        raise ValueError(
            f"network.channels={channels}, network.blocks={blocks}: must be of equal length."
        )
    weights = 9 * sum(count * depth**2 for depth, count in zip(channels, blocks, strict=True))
    if weights + 4 * latent_dim * dimensions > MOST_WEIGHTS:
        raise ValueError(
            f"network.channels={channels}, network.blocks={blocks}, "
            f"network.latent_dim={latent_dim}: a network of more than {MOST_WEIGHTS:,} weights; "
            "make them smaller."
        )
    if min(image_shape[1:]) < 2 ** len(channels):
        raise ValueError(
            f"network.channels={channels}: {len(channels)} stages halve an image {len(channels)} "
            f"times, and {image_shape[1]} x {image_shape[2]} is too small: give fewer stages, or "
            "larger images (data.size)."
        )

"""A sequential network: stages of convolutions, one linear layer to the latent, and a mirror."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from reslag_vae.networks.base import BLOCKS, CHANNELS, ImageShape, Network, check_sizes
from reslag_vae.networks.blocks import down_stages, stage_sizes, up_stage


class StagedNetwork(Network, ABC):
    """A network of the plain encoder, and of a decoder of the same stages that a subclass names.

    Args:
        image_shape: (C, H, W) of the images, with height and width at least 2 to the power of the
            number of stages.
        latent_dim: d, the number of latent dimensions.
        channels: channels of each stage, from the image inwards; each stage halves height and
            width.
        blocks: convolution blocks of each stage.
        parameters_per_latent: 2 for mean and log-variance, 1 for a deterministic code.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.
        conditions: numbers that a conditional model's decoder is given beside the latent.

    Raises:
        ValueError: the latent is not smaller than the image, or the stages do not fit it.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        channels: Sequence[int] = CHANNELS,
        blocks: Sequence[int] = BLOCKS,
        parameters_per_latent: int = 2,
        parameters_per_channel: int = 1,
        conditions: int = 0,
    ) -> None:
        channels, blocks = list(channels), list(blocks)
        check_sizes(image_shape, latent_dim, channels, blocks)
        parameters = latent_dim * parameters_per_latent
        outputs = image_shape[0] * parameters_per_channel
        super().__init__(
            plain_encoder(image_shape, parameters, channels, blocks),
            self.decoder(image_shape, latent_dim + conditions, channels, blocks, outputs),
            image_shape,
            latent_dim,
            parameters_per_latent,
            parameters_per_channel,
            conditions,
        )

    @staticmethod
    @abstractmethod
    def decoder(
        image_shape: ImageShape,
        latent_dim: int,
        channels: list[int],
        blocks: list[int],
        outputs: int,
    ) -> nn.Module:
        """Return a module that maps (B, d) latents to (B, outputs, H, W) likelihood parameters."""


def plain_encoder(
    image_shape: ImageShape, parameters: int, channels: list[int], blocks: list[int]
) -> nn.Sequential:
    """Return a module that maps (B, C, H, W) images to (B, parameters) posterior parameters."""
    stages = down_stages(image_shape[0], channels, blocks)
    features = channels[-1] * math.prod(stage_sizes(image_shape, len(channels))[-1])
    return nn.Sequential(*stages, nn.Flatten(), nn.Linear(features, parameters))


def plain_decoder(
    image_shape: ImageShape, latent_dim: int, channels: list[int], blocks: list[int], outputs: int
) -> nn.Sequential:
    """Return a module that maps (B, d) latents to (B, outputs, H, W) likelihood parameters."""
    return nn.Sequential(
        *seed_features(image_shape, latent_dim, channels),
        *up_stages(image_shape, channels, blocks, outputs),
    )


def seed_features(image_shape: ImageShape, latent_dim: int, channels: list[int]) -> nn.Sequential:
    """Return a module from (B, d) latents to the innermost stage's (B, channels, h, w) features."""
    height, width = stage_sizes(image_shape, len(channels))[-1]
    return nn.Sequential(
        nn.Linear(latent_dim, channels[-1] * height * width),
        nn.Unflatten(1, (channels[-1], height, width)),
        # On the features, not before they are: compiled, it shares the pass that gives them their
        # layout, and no mask is kept for its gradient. In place on a view, autograd would copy.
        nn.ReLU(),
    )


class PlainNetwork(StagedNetwork):
    """A sequential encoder and decoder without residual connections."""

    name: ClassVar[str] = "plain"
    decoder = staticmethod(plain_decoder)


def up_stages(
    image_shape: ImageShape, channels: list[int], blocks: list[int], outputs: int
) -> list[nn.Sequential]:
    """Return the decoder's stages, from the innermost to one of the image's size.

    Args:
        image_shape: (C, H, W) of the images.
        channels: channels of each stage, from the image inwards.
        blocks: convolution blocks of each stage.
        outputs: channels that the last stage gives.
    """
    depths = [outputs, *channels[:-1]]
    sizes = stage_sizes(image_shape, len(channels))
    return [
        up_stage(channels[i], depths[i], blocks[i], sizes[i], last=i == 0)
        for i in reversed(range(len(channels)))
    ]

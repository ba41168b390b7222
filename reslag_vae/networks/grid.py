"""A network whose latent is a grid of vectors, one for each part of the image."""

import math
from typing import ClassVar

from torch import nn

from reslag_vae.networks.base import ImageShape, Network, check_sizes
from reslag_vae.networks.blocks import down_stages, stage_sizes
from reslag_vae.networks.plain import up_stages
from reslag_vae.options import require


class GridNetwork(Network):
    """Stages of convolutions to a grid of code_dim numbers at each position, and their mirror.

    No layer but convolutions: the latent keeps its place in the image, as in van den Oord et al.
    2017, https://arxiv.org/abs/1711.00937. The latents are the grid's numbers, channel by channel.

    Args:
        image_shape: (C, H, W) of the images.
        code_dim: numbers at each position of the grid.
        channels: channels of each stage, from the image inwards; each stage halves height and
            width.
        blocks: convolution blocks of each stage.
        parameters_per_latent: 2 for mean and log-variance, 1 for codes.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.

    Raises:
        ValueError: an argument is out of its range, or the stages do not fit the image.
    """

    name: ClassVar[str] = "grid"
    provides = frozenset({"grid"})

    def __init__(
        self,
        image_shape: ImageShape,
        code_dim: int,
        channels: list[int],
        blocks: list[int],
        parameters_per_latent: int = 1,
        parameters_per_channel: int = 1,
    ) -> None:
        require("network.code_dim", code_dim)
        check_sizes(image_shape, 1, channels, blocks)
        height, width = stage_sizes(image_shape, len(channels))[-1]
        stages = down_stages(image_shape[0], channels, blocks)
        numbers = code_dim * parameters_per_latent
        inference = nn.Sequential(*stages, nn.Conv2d(channels[-1], numbers, 1), nn.Flatten())
        generative = nn.Sequential(
            nn.Unflatten(1, (code_dim, height, width)),
            nn.Conv2d(code_dim, channels[-1], 3, padding=1),
            nn.ReLU(),
            *up_stages(image_shape, channels, blocks, image_shape[0] * parameters_per_channel),
        )
        super().__init__(
            inference,
            generative,
            image_shape,
            code_dim * math.prod((height, width)),
            parameters_per_latent,
            parameters_per_channel,
        )
        self.grid = (height, width)

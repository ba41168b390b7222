"""A network of three levels of latents, whose encoder is given features of another network."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from reslag_vae.networks.base import ImageShape, Network, check_sizes
from reslag_vae.networks.blocks import down_stages, stage_sizes
from reslag_vae.networks.plain import seed_features, up_stages
from reslag_vae.options import require

# Stages from the images to the map of latents, each of which halves height and width.
QUARTER = 2


class SharedNetwork(Network):
    """The head of an encoder that shares layers with the decoder, and what feeds that decoder.

    The levels, top first: units and a vector of the whole image, and a map of places at a quarter
    of its height and width. Strided convolutions lead from the image and the shared features to the
    numbers of all posteriors, and a mirror of them from all latents to the likelihood's parameters.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: dimensions of the vector.
        channels: channels of each stage, at least two, from the image inwards; each stage halves
            height and width.
        blocks: convolution blocks of each stage.
        units: dimensions of the top level.
        local_channels: channels of the map.
        stack_channels: channels of each of the two stacks of features that the encoder is given
            beside the image, 0 for none.
        parameters_per_latent: numbers for each dimension of the top level; the levels below have
            two, mean and log-variance.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.

    Raises:
        ValueError: the latents are not fewer than the image's numbers, or the stages do not fit it.
    """

    name: ClassVar[str] = "shared"

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        channels: list[int],
        blocks: list[int],
        units: int,
        local_channels: int,
        stack_channels: int = 0,
        parameters_per_latent: int = 2,
        parameters_per_channel: int = 1,
    ) -> None:
        check_sizes(image_shape, latent_dim, channels, blocks)
        own = {"units": units, "local_channels": local_channels, "stack_channels": stack_channels}
        for option, value in own.items():
            require(f"network.{option}", value)
        if len(channels) < QUARTER:
            raise ValueError(
                f"network.channels={channels}: at least {QUARTER} stages are wanted, since a level "
                "of latents is at a quarter of the image's height and width."
            )
        places = local_channels, *stage_sizes(image_shape, QUARTER)[-1]
        levels = (units, latent_dim, math.prod(places))
        if sum(levels) >= math.prod(image_shape):
            raise ValueError(
                f"network.units={units}, network.latent_dim={latent_dim}, "
                f"network.local_channels={local_channels}: {sum(levels)} latents in all; they must "
                f"be fewer than the image's {math.prod(image_shape)} numbers."
            )
        vector = units * parameters_per_latent + 2 * latent_dim
        inputs = image_shape[0] + 2 * stack_channels
        super().__init__(
            SharedEncoder((inputs, *image_shape[1:]), vector, 2 * local_channels, channels, blocks),
            SharedDecoder(
                image_shape,
                units + latent_dim,
                places,
                channels,
                blocks,
                image_shape[0] * parameters_per_channel,
            ),
            image_shape,
            sum(levels),
            parameters_per_latent,
            parameters_per_channel,
        )
        self.places, self.stack_channels = places, stack_channels
        self.level_dims = levels
        self.level_parameters = (units * parameters_per_latent, 2 * latent_dim, 2 * levels[2])


class SharedEncoder(nn.Module):
    """A module from images with features to (B, vector + local · h · w) posterior parameters."""

    def __init__(
        self,
        input_shape: ImageShape,
        vector: int,
        local: int,
        channels: list[int],
        blocks: list[int],
    ) -> None:
        super().__init__()
        stages = down_stages(input_shape[0], channels, blocks)
        features = channels[-1] * math.prod(stage_sizes(input_shape, len(channels))[-1])
        self.to_quarter = nn.Sequential(*stages[:QUARTER])
        self.to_local = nn.Sequential(nn.Conv2d(channels[QUARTER - 1], local, 1), nn.Flatten())
        self.to_vector = nn.Sequential(*stages[QUARTER:], nn.Flatten(), nn.Linear(features, vector))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (B, parameters) of (B, C + 2 F, H, W) images with their features."""
        features = self.to_quarter(inputs)
        return torch.cat([self.to_vector(features), self.to_local(features)], dim=1)


class SharedDecoder(nn.Module):
    """A module from (B, d) latents of all levels to (B, outputs, H, W) likelihood parameters."""

    def __init__(
        self,
        image_shape: ImageShape,
        vector: int,
        places: tuple[int, int, int],
        channels: list[int],
        blocks: list[int],
        outputs: int,
    ) -> None:
        super().__init__()
        self.vector, self.places = vector, places
        stages = up_stages(image_shape, channels, blocks, outputs)
        self.from_vector = nn.Sequential(
            *seed_features(image_shape, vector, channels), *stages[:-QUARTER]
        )
        self.from_local = nn.Conv2d(places[0], channels[QUARTER - 1], 1)
        self.from_quarter = nn.Sequential(*stages[-QUARTER:])

    def forward(self, latents: Tensor) -> Tensor:
        """Return (B, outputs, H, W) parameters of (B, d) latents."""
        local = latents[:, self.vector :].reshape(-1, *self.places)
        features = self.from_vector(latents[:, : self.vector]) + self.from_local(local)
        parameters: Tensor = self.from_quarter(features)
        return parameters

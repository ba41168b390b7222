"""The ResLag networks, with residual connections in the encoder and in the decoder.

No connection bypasses the latent.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from reslag_vae.networks.base import BLOCKS, CHANNELS, ImageShape, Network, check_sizes
from reslag_vae.networks.blocks import Size, down_stages, stage_sizes
from reslag_vae.networks.plain import plain_decoder, plain_encoder, up_stages


class ConnectedNetwork(Network):
    """A network whose stages all connect directly to the latent, in encoder and decoder.

    Figure 4 of the thesis. A 1x1 convolution reduces each stage's feature map to the same number of
    features: `width` channels at the first stage, and four times as many at each further stage.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: d, the number of latent dimensions.
        channels: channels of each stage, from the image inwards.
        blocks: convolution blocks of each stage.
        residual: whether there are connections; False gives the plain network, as in the thesis on
            28x28 images.
        parameters_per_latent: 2 for mean and log-variance, 1 for a deterministic code.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.
        conditions: numbers that a conditional model's decoder is given beside the latent.

    Raises:
        ValueError: the latent is not smaller than the image, or the stages do not fit it.
    """

    width: ClassVar[int]

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        channels: Sequence[int] = CHANNELS,
        blocks: Sequence[int] = BLOCKS,
        residual: bool = True,
        parameters_per_latent: int = 2,
        parameters_per_channel: int = 1,
        conditions: int = 0,
    ) -> None:
        channels, blocks = list(channels), list(blocks)
        check_sizes(image_shape, latent_dim, channels, blocks)
        parameters = latent_dim * parameters_per_latent
        outputs = image_shape[0] * parameters_per_channel
        inference: nn.Module
        generative: nn.Module
        if residual:
            inference = ResidualEncoder(image_shape, parameters, channels, blocks, self.width)
            generative = ResidualDecoder(
                image_shape, latent_dim + conditions, channels, blocks, outputs, self.width
            )
        else:
            inference = plain_encoder(image_shape, parameters, channels, blocks)
            generative = plain_decoder(
                image_shape, latent_dim + conditions, channels, blocks, outputs
            )
        super().__init__(
            inference,
            generative,
            image_shape,
            latent_dim,
            parameters_per_latent,
            parameters_per_channel,
            conditions,
        )


class ResidualNetwork(ConnectedNetwork):
    """The original ResLag network, of width 4.

    On CelebA it has 4 x 4,096 connected features, more than the image's 12,288 numbers.
    """

    name: ClassVar[str] = "residual"
    provides = frozenset({"residual"})
    width: ClassVar[int] = 4


class LightResidualNetwork(ConnectedNetwork):
    """The light ResLag network, of width 1.

    On CelebA it has 4 x 1,024 connected features, and little more than half of the original's
    parameters.
    """

    name: ClassVar[str] = "residual_light"
    provides = frozenset({"residual_light"})
    width: ClassVar[int] = 1


class ResidualEncoder(nn.Module):
    """A module that maps images to (B, parameters) posterior parameters.

    A linear layer takes the concatenated reductions of all stages.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        parameters: int,
        channels: list[int],
        blocks: list[int],
        width: int,
    ) -> None:
        super().__init__()
        connections = connection_shapes(image_shape, len(channels), width)
        self.stages = nn.ModuleList(down_stages(image_shape[0], channels, blocks))
        self.reductions = nn.ModuleList(
            nn.Conv2d(outer, shape[0], 1)
            for outer, shape in zip(channels, connections, strict=True)
        )
        self.to_parameters = nn.Linear(sum(map(math.prod, connections)), parameters)

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, parameters) posterior parameters of (B, C, H, W) images."""
        features, parts = images, []
        for stage, reduction in zip(self.stages, self.reductions, strict=True):
            features = stage(features)
            parts.append(reduction(features).flatten(1))
        parameters: Tensor = self.to_parameters(torch.cat(parts, dim=1))
        return parameters


class ResidualDecoder(nn.Module):
    """A module from (B, d) latents to the likelihood's parameters, with a connection at each stage.

    All connections have equal weight. The running tensor already holds k connections when the next
    one arrives, so it weighs k to 1: 1:1, 2:1, 3:1.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        channels: list[int],
        blocks: list[int],
        outputs: int,
        width: int,
    ) -> None:
        super().__init__()
        self.connections = connection_shapes(image_shape, len(channels), width)[::-1]
        # The running tensor's channels where each connection joins it, from the innermost size
        # outwards.
        joined = [channels[-1], *reversed(channels[:-1])]
        self.from_latent = nn.Linear(latent_dim, sum(map(math.prod, self.connections)))
        self.expansions = nn.ModuleList(
            nn.Conv2d(shape[0], running, 1)
            for shape, running in zip(self.connections, joined, strict=True)
        )
        self.stages = nn.ModuleList(up_stages(image_shape, channels, blocks, outputs))

    def forward(self, latents: Tensor) -> Tensor:
        """Return the likelihood's (B, P, H, W) parameters, before its link, for (B, d) latents."""
        flat = self.from_latent(latents).split(
            [math.prod(shape) for shape in self.connections], dim=1
        )
        joining = [
            expand(part.unflatten(1, shape))
            for expand, part, shape in zip(self.expansions, flat, self.connections, strict=True)
        ]
        running: Tensor = self.stages[0](joining[0])
        for held, (stage, part) in enumerate(
            zip(self.stages[1:], joining[1:], strict=True), start=1
        ):
            running = stage((held * running + part) / (held + 1))
        return running


def connection_shapes(
    image_shape: ImageShape, stages: int, width: int
) -> list[tuple[int, int, int]]:
    """Return (channels, height, width) of each stage's connection, from the first stage inwards."""
    sizes: list[Size] = stage_sizes(image_shape, stages)[1:]
    return [(width * 4**i, *size) for i, size in enumerate(sizes)]

"""The network of BIVA: stages with latents on the way up, and others on the way down."""

import math
from typing import ClassVar

from reslag_vae.networks.base import ImageShape, check_sizes
from reslag_vae.networks.bidirectional import BidirectionalNetwork
from reslag_vae.networks.biva_passes import BivaDecoder, BivaEncoder
from reslag_vae.networks.ladder import check_maps


class BivaNetwork(BidirectionalNetwork):
    """Stages of residual blocks with two maps of latents beside each, and skips downwards.

    It is that of BIVA (Maaløe et al. 2019, https://arxiv.org/abs/1902.02102), in the stages of
    `LadderNetwork`. The levels, top first: a vector of the whole image, then at the size of each
    stage, from the innermost one outwards, a map that is inferred on the way up and one that is
    inferred on the way down. On the way down, the features of all levels above reach every level.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: dimensions of the vector.
        channels: channels of each stage, from the image inwards; each stage halves height and
            width.
        blocks: residual blocks of each stage, both upwards and downwards.
        latent_channels: channels of each of the two maps of latents of each stage, from the image
            inwards; a stage of 0 has none.
        parameters_per_latent: 2 for mean and log-variance, 1 for the logit of a binary unit.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.

    Raises:
        ValueError: the latents are not fewer than the image's numbers, or the stages do not fit it.
    """

    name: ClassVar[str] = "biva"

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        channels: list[int],
        blocks: list[int],
        latent_channels: list[int],
        parameters_per_latent: int = 2,
        parameters_per_channel: int = 1,
    ) -> None:
        check_sizes(image_shape, latent_dim, channels, blocks)
        maps = check_maps(image_shape, latent_dim, channels, latent_channels, maps_of_stage=2)
        levels = (latent_dim, *map(math.prod, maps))
        outputs = image_shape[0] * parameters_per_channel
        super().__init__(
            BivaEncoder(
                image_shape, levels, channels, blocks, latent_channels, parameters_per_latent
            ),
            BivaDecoder(
                image_shape,
                levels,
                channels,
                blocks,
                latent_channels,
                parameters_per_latent,
                outputs,
            ),
            image_shape,
            levels,
            parameters_per_latent,
            parameters_per_channel,
        )

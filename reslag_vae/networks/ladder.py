"""A network of levels of latents: a pass from images upwards, and one from the top downwards."""

import math
from typing import ClassVar

from reslag_vae.networks.base import ImageShape, check_sizes
from reslag_vae.networks.blocks import stage_sizes
from reslag_vae.networks.hierarchy import HierarchicalNetwork
from reslag_vae.networks.ladder_passes import LadderDecoder, LadderEncoder
from reslag_vae.options import require


class LadderNetwork(HierarchicalNetwork):
    """Stages of residual blocks upwards and downwards, with a map of latents beside each stage.

    The levels, top first: a vector of the whole image, then a map at the size of each stage, from
    the innermost stage outwards. As in the Ladder VAE (Sønderby et al. 2016,
    https://arxiv.org/abs/1602.02282) the pass upwards is the inference module, which sees no
    latents, and the pass downwards is the generative one, which sees nothing else.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: dimensions of the vector.
        channels: channels of each stage, from the image inwards; each stage halves height and
            width.
        blocks: residual blocks of each stage, both upwards and downwards.
        latent_channels: channels of the map of latents of each stage, from the image inwards; a
            stage of 0 has none.
        parameters_per_latent: 2 for mean and log-variance, 1 for the logit of a binary unit.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.

    Raises:
        ValueError: the latents are not fewer than the image's numbers, or the stages do not fit it.
    """

    name: ClassVar[str] = "ladder"

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
        maps = check_maps(image_shape, latent_dim, channels, latent_channels)
        levels = (latent_dim, *map(math.prod, maps))
        outputs = image_shape[0] * parameters_per_channel
        super().__init__(
            LadderEncoder(
                image_shape, latent_dim, channels, blocks, latent_channels, parameters_per_latent
            ),
            LadderDecoder(
                image_shape,
                channels,
                blocks,
                latent_channels,
                levels,
                parameters_per_latent,
                outputs,
            ),
            image_shape,
            levels,
            parameters_per_latent,
            parameters_per_channel,
        )


def check_maps(
    image_shape: ImageShape,
    latent_dim: int,
    channels: list[int],
    latent_channels: list[int],
    maps_of_stage: int = 1,
) -> list[tuple[int, int, int]]:
    """Return (C, H, W) of the maps of latents, the innermost first.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: dimensions of the top level.
        channels: channels of each stage, from the image inwards.
        latent_channels: channels of each map of latents of each stage; a stage of 0 has none.
        maps_of_stage: number of these maps of a stage, which are taken as one.

    Raises:
        ValueError: they are not one for each stage, or too large; the message names the option.
    """
    require("network.latent_channels", latent_channels)
    if len(latent_channels) != len(channels):
        raise ValueError(
            f"network.latent_channels={latent_channels}: must be as many as network.channels="
            f"{channels}, one for each stage; 0 leaves a stage without latents."
        )
    if not any(latent_channels):
        raise ValueError(
            f"network.latent_channels={latent_channels}: at least one stage must have latents; a "
            "model of one level is model=vae."
        )
    sizes = stage_sizes(image_shape, len(channels))[1:]
    stages = zip(latent_channels, sizes, strict=True)
    maps = [(maps_of_stage * own, *size) for own, size in stages if own][::-1]
    count = latent_dim + sum(map(math.prod, maps))
    if count >= math.prod(image_shape):
        raise ValueError(
            f"network.latent_dim={latent_dim}, network.latent_channels={latent_channels}: {count} "
            f"latents in all; they must be fewer than the image's {math.prod(image_shape)} numbers."
        )
    return maps

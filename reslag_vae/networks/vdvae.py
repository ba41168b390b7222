"""A network of many levels of latents, several at each resolution, as in the very deep VAE."""

import math
from collections.abc import Sequence
from typing import ClassVar

from reslag_vae.networks.base import MOST_WEIGHTS, ImageShape
from reslag_vae.networks.blocks import stage_sizes
from reslag_vae.networks.hierarchy import HierarchicalNetwork
from reslag_vae.networks.vdvae_passes import Place, VeryDeepDecoder, VeryDeepEncoder
from reslag_vae.options import require

# By default images are halved until their smaller side is at most this, and have so many levels at
# each resolution, and at 1 x 1.
INNERMOST, MAPS, VECTORS = 7, 4, 2


class VeryDeepNetwork(HierarchicalNetwork):
    """Residual blocks of one width upwards and downwards, with several levels at each resolution.

    As in the VDVAE (Child 2021, https://arxiv.org/abs/2011.10650) nothing is normalised; the last
    convolution of each of N residual blocks starts smaller by the square root of N, so that depth
    does not make features grow. Resolutions are those of the image halved, several times and
    rounded up, and 1 x 1. The levels, top first: vectors at 1 x 1, then maps of latents at each
    resolution outwards.

    Other networks refuse as many latents as the image has numbers. Here there are usually more, and
    nothing is wrong with that: what is compressed are nats, the KL of all levels, and a latent that
    follows its prior costs none.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: dimensions of each vector.
        stage_levels: levels of latents at each resolution, from the image inwards, the last of
            which is 1 x 1; None for 4 wherever the image is halved, until its smaller side is at
            most 7, and 2 at 1 x 1.
        width: channels of all features; those inside of a block are half as many.
        local_channels: channels of each map of latents.
        parameters_per_latent: 2 for mean and log-variance, 1 for the logit of a binary unit.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.

    Raises:
        ValueError: a size is wrong, or the resolutions do not fit the image.
    """

    name: ClassVar[str] = "vdvae"
    provides = frozenset({"hierarchy", "very_deep"})

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        stage_levels: list[int] | None = None,
        width: int = 32,
        local_channels: int = 8,
        parameters_per_latent: int = 2,
        parameters_per_channel: int = 1,
    ) -> None:
        levels = usual_levels(image_shape) if stage_levels is None else stage_levels
        check_options(image_shape, latent_dim, levels, width, local_channels)
        places = places_of(image_shape, latent_dim, levels, local_channels)
        super().__init__(
            VeryDeepEncoder(image_shape[0], places, width, parameters_per_latent),
            VeryDeepDecoder(
                image_shape,
                places,
                width,
                parameters_per_latent,
                image_shape[0] * parameters_per_channel,
            ),
            image_shape,
            tuple(math.prod(place.shape) for place in places),
            parameters_per_latent,
            parameters_per_channel,
        )


def usual_levels(image_shape: ImageShape) -> list[int]:
    """Return the default numbers of levels at each resolution, from the image inwards."""
    halvings = 1
    while min(stage_sizes(image_shape, halvings)[-1]) > INNERMOST:
        halvings += 1
    return [MAPS] * halvings + [VECTORS]


def places_of(
    image_shape: ImageShape, latent_dim: int, levels: Sequence[int], local_channels: int
) -> list[Place]:
    """Return the resolution of each level and the shape of its latents, top first."""
    *maps, vectors = levels
    places = [Place(len(maps), (latent_dim, 1, 1))] * vectors
    sizes = stage_sizes(image_shape, len(maps))[1:]
    for stage in reversed(range(len(maps))):
        places += [Place(stage, (local_channels, *sizes[stage]))] * maps[stage]
    return places


def check_options(
    image_shape: ImageShape, latent_dim: int, levels: list[int], width: int, local_channels: int
) -> None:
    """Refuse a network that cannot be built, before it is built.

    Raises:
        ValueError: a size is wrong; the message names the option and its limit.
    """
    sizes = {
        "image_shape": image_shape,
        "latent_dim": latent_dim,
        "stage_levels": levels,
        "width": width,
        "local_channels": local_channels,
    }
    for name, value in sizes.items():
        require(f"network.{name}", value)
    dimensions = math.prod(image_shape)
    if latent_dim >= dimensions:
        raise ValueError(
            f"network.latent_dim={latent_dim}: a vector of the whole image must be smaller than "
            f"its {dimensions} numbers ({' x '.join(map(str, image_shape))})."
        )
    if min(image_shape[1:]) < 2 ** (len(levels) - 1):
        raise ValueError(
            f"network.stage_levels={levels}: {len(levels)} resolutions, of which the last is 1 x 1 "
            f"and the others halve an image, and {image_shape[1]} x {image_shape[2]} is too small: "
            "give fewer, or larger images (data.size)."
        )
    # Four blocks for each level, of five squares of the width and more, or of one at 1 x 1.
    *maps, vectors = levels
    if 4 * (5 * sum(maps) + vectors) * width**2 > MOST_WEIGHTS:
        raise ValueError(
            f"network.stage_levels={levels}, network.width={width}: a network of more than "
            f"{MOST_WEIGHTS:,} weights; make them smaller."
        )

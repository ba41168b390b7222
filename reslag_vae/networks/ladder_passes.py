"""The two passes of a ladder: from images upwards, and from the top level of latents downwards."""

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn

from reslag_vae.networks.base import ImageShape
from reslag_vae.networks.blocks import stage_sizes
from reslag_vae.networks.hierarchy import BottomUp, TopDown
from reslag_vae.networks.ladder_stages import down, from_map, up
from reslag_vae.networks.plain import seed_features


class LadderEncoder(BottomUp):
    """A module from images to the posterior parameters of every level, which sees no latents."""

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        channels: list[int],
        blocks: list[int],
        latent_channels: list[int],
        parameters_per_latent: int,
    ) -> None:
        super().__init__()
        depths = itertools.pairwise([image_shape[0], *channels])
        stages = zip(depths, blocks, strict=True)
        self.stages = nn.ModuleList(down(inner, outer, count) for (inner, outer), count in stages)
        innermost = channels[-1] * math.prod(stage_sizes(image_shape, len(channels))[-1])
        top = nn.Sequential(nn.Flatten(), nn.Linear(innermost, latent_dim * parameters_per_latent))
        maps = [
            numbers_of_map(features, own * parameters_per_latent)
            for features, own in zip(channels, latent_channels, strict=True)
            if own
        ]
        self.has_level = [own > 0 for own in latent_channels]
        self.heads = nn.ModuleList([top, *reversed(maps)])

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the (B, F, h, w) features of (B, C, H, W) images for each level, top first."""
        features, found = images, []
        for stage, has_level in zip(self.stages, self.has_level, strict=True):
            features = stage(features)
            if has_level:
                found.append(features)
        return [features, *reversed(found)]

    def numbers(self, level: int, features: Tensor, above: Tensor | None) -> Tensor:
        """Return the (B, parameters) of a level, whose posterior alone looks at those above."""
        parameters: Tensor = self.heads[level](features)
        return parameters


class LadderDecoder(TopDown):
    """A module from (B, d) latents of all levels to (B, outputs, H, W) likelihood parameters."""

    def __init__(
        self,
        image_shape: ImageShape,
        channels: list[int],
        blocks: list[int],
        latent_channels: list[int],
        level_dims: tuple[int, ...],
        parameters_per_latent: int,
        outputs: int,
    ) -> None:
        super().__init__(level_dims)
        self.from_top = seed_features(image_shape, level_dims[0], channels)
        self.from_maps, self.paths = layers_down(
            image_shape, channels, blocks, latent_channels, outputs
        )
        stages = zip(reversed(channels), reversed(latent_channels), strict=True)
        self.heads = nn.ModuleList(
            numbers_of_map(features, own * parameters_per_latent) for features, own in stages if own
        )

    def join(self, level: int, above: Tensor | None, latents: Sequence[Tensor]) -> Tensor:
        """Return the features of the latents down to a level; see the base class."""
        own = self.from_top(latents[0]) if above is None else self.from_maps[level - 1](latents[-1])
        features: Tensor = self.paths[level](own if above is None else above + own)
        return features

    def numbers(self, level: int, above: Tensor) -> Tensor:
        """Return the (B, parameters) of the prior of a level."""
        parameters: Tensor = self.heads[level - 1](above)
        return parameters


def layers_down(
    image_shape: ImageShape,
    channels: list[int],
    blocks: list[int],
    latent_channels: list[int],
    outputs: int,
) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Return what leads from each map of latents to features, and from these downwards.

    Args:
        image_shape: (C, H, W) of the images.
        channels: channels of each stage, from the image inwards.
        blocks: residual blocks of each stage.
        latent_channels: channels of the map of latents of each stage; a stage of 0 has none.
        outputs: channels of the last stage's result.

    Returns:
        for each level below the top, a module from (B, d_l) latents to features at its stage; and
        for each level, one from features at its place to those at the next level's, over stages
        without latents, or to the image.
    """
    sizes = stage_sizes(image_shape, len(channels))
    from_maps, paths = nn.ModuleList(), [nn.Sequential()]
    for i in reversed(range(len(channels))):
        if latent_channels[i]:
            from_maps.append(from_map((latent_channels[i], *sizes[i + 1]), channels[i]))
            paths.append(nn.Sequential())
        depth = [outputs, *channels][i]
        paths[-1].extend(up(channels[i], depth, blocks[i], sizes[i], last=i == 0))
    return from_maps, nn.ModuleList(paths)


def numbers_of_map(features: int, numbers: int) -> nn.Sequential:
    """Return a module from (B, F, h, w) features to some numbers at each place, one after another.

    Args:
        features: F, channels of the features.
        numbers: numbers at each place; all places of one of them come before those of the next.
    """
    return nn.Sequential(nn.Conv2d(features, numbers, 1), nn.Flatten())

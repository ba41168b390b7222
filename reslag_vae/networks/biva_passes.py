"""The two passes of BIVA: from images upwards, with latents, and from the top level downwards."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reslag_vae.networks.base import ImageShape
from reslag_vae.networks.bidirectional import StochasticBottomUp
from reslag_vae.networks.blocks import block, stage_sizes
from reslag_vae.networks.hierarchy import TopDown
from reslag_vae.networks.ladder_passes import layers_down, numbers_of_map
from reslag_vae.networks.ladder_stages import down, from_map
from reslag_vae.networks.plain import seed_features


class BivaEncoder(StochasticBottomUp):
    """A module from images, and the latents on the way up, to the posteriors' parameters."""

    def __init__(
        self,
        image_shape: ImageShape,
        level_dims: tuple[int, ...],
        channels: list[int],
        blocks: list[int],
        latent_channels: list[int],
        parameters_per_latent: int,
    ) -> None:
        super().__init__((0, *(own // 2 for own in level_dims[1:])))
        sizes = stage_sizes(image_shape, len(channels))
        # What leads from the image to the place of the last level, and from each to that above it.
        paths: list[list[nn.Module]] = [[]]
        for depths, count, own in zip(
            itertools.pairwise([image_shape[0], *channels]), blocks, latent_channels, strict=True
        ):
            paths[-1].append(down(*depths, count))
            if own:
                paths.append([])
        self.paths = nn.ModuleList(nn.Sequential(*layers) for layers in reversed(paths))
        innermost = channels[-1] * math.prod(sizes[-1])
        self.to_top = nn.Sequential(
            nn.Flatten(), nn.Linear(innermost, level_dims[0] * parameters_per_latent)
        )
        self.up_heads, self.from_maps = nn.ModuleList(), nn.ModuleList()
        self.down_heads = nn.ModuleList()
        stages = stages_of_levels(latent_channels)
        for i, above in zip(stages, widths_above(channels, stages), strict=True):
            numbers = latent_channels[i] * parameters_per_latent
            self.up_heads.append(numbers_of_map(channels[i], numbers))
            self.from_maps.append(from_map((latent_channels[i], *sizes[i + 1]), channels[i]))
            merged = nn.Conv2d(channels[i] + above, channels[i], 3, padding=1, bias=False)
            self.down_heads.append(
                nn.Sequential(*block(merged, channels[i]), *numbers_of_map(channels[i], numbers))
            )

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the (B, F, h, w) features of the last level; see the base class."""
        return [self.paths[-1](images)]

    def up_numbers(self, level: int, features: Tensor) -> Tensor:
        """Return the (B, parameters) of the map that is inferred on the way up."""
        parameters: Tensor = self.up_heads[level - 1](features)
        return parameters

    def climb(self, level: int, features: Tensor, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features with those of the latents, and what they lead to above."""
        joined = features + self.from_maps[level - 1](latents)
        return joined, self.paths[level - 1](joined)

    def numbers(self, level: int, features: Tensor, above: Tensor | None) -> Tensor:
        """Return the (B, parameters) of the top, or of the map inferred on the way down."""
        if above is None:
            top: Tensor = self.to_top(features)
            return top
        parameters: Tensor = self.down_heads[level - 1](torch.cat([features, above], dim=1))
        return parameters


class BivaDecoder(TopDown):
    """A module from (B, d) latents of all levels to (B, outputs, H, W) likelihood parameters.

    The features of the latents above a level are those that each of them has led to, enlarged to
    the level's size and one beside the other.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        level_dims: tuple[int, ...],
        channels: list[int],
        blocks: list[int],
        latent_channels: list[int],
        parameters_per_latent: int,
        outputs: int,
    ) -> None:
        super().__init__(level_dims)
        both = [2 * own for own in latent_channels]
        self.from_top = seed_features(image_shape, level_dims[0], channels)
        self.from_maps, self.paths = layers_down(image_shape, channels, blocks, both, outputs)
        self.mixes, self.heads = nn.ModuleList(), nn.ModuleList()
        stages = stages_of_levels(latent_channels)
        for i, above in zip(stages, widths_above(channels, stages), strict=True):
            self.mixes.append(nn.Conv2d(above, channels[i], 1, bias=False))
            self.heads.append(numbers_of_map(above, both[i] * parameters_per_latent))

    def join(self, level: int, above: Tensor | None, latents: Sequence[Tensor]) -> Tensor:
        """Return the features of the latents down to a level; see the base class."""
        if above is None:
            top: Tensor = self.paths[0](self.from_top(latents[0]))
            return top
        own = self.mixes[level - 1](above) + self.from_maps[level - 1](latents[-1])
        features: Tensor = self.paths[level](own)
        if level == len(self.level_dims) - 1:
            return features
        return torch.cat([features, F.interpolate(above, features.shape[-2:])], dim=1)

    def numbers(self, level: int, above: Tensor) -> Tensor:
        """Return the (B, parameters) of the prior of both maps of a level."""
        parameters: Tensor = self.heads[level - 1](above)
        return parameters


def stages_of_levels(latent_channels: list[int]) -> list[int]:
    """Return the number of the stage, from the image inwards, of each level below the top."""
    return [i for i in reversed(range(len(latent_channels))) if latent_channels[i]]


def widths_above(channels: list[int], stages: list[int]) -> list[int]:
    """Return the channels of the features of all levels above each level below the top."""
    return list(itertools.accumulate(channels[i] for i in stages))

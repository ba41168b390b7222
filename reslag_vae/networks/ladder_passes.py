"""The two passes of a ladder: from images upwards, and from the top level of latents downwards."""

import itertools
import math

import torch
from torch import Tensor, nn

from reslag_vae.networks.base import ImageShape
from reslag_vae.networks.blocks import stage_sizes
from reslag_vae.networks.ladder_stages import down, from_map, up
from reslag_vae.networks.plain import seed_features


class BottomUp(nn.Module):
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
            nn.Sequential(nn.Conv2d(features, own * parameters_per_latent, 1), nn.Flatten())
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
        """Return the (B, parameters) of a level.

        Args:
            level: number of the level, from 0, the top.
            features: (B, F, h, w) features of images for this level.
            above: (B, F, h, w) features of the latents above, which a ladder leaves to its
                posterior; None at the top.
        """
        parameters: Tensor = self.heads[level](features)
        return parameters

    def forward(self, images: Tensor) -> Tensor:
        """Return the (B, parameters) of all levels of (B, C, H, W) images, top first."""
        levels = enumerate(self.features(images))
        return torch.cat([self.numbers(level, own, None) for level, own in levels], dim=1)


class TopDown(nn.Module):
    """A module from (B, d) latents of all levels to (B, outputs, H, W) likelihood parameters.

    `begin`, then `join` for each level below the top, then `end`: each returns what the prior of
    the next level is given, a function of the latents so far and of nothing else.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        channels: list[int],
        blocks: list[int],
        latent_channels: list[int],
        level_dims: tuple[int, ...],
        outputs: int,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(image_shape, len(channels))
        self.level_dims = list(level_dims)
        self.from_top = seed_features(image_shape, level_dims[0], channels)
        self.from_maps = nn.ModuleList()
        # What leads from the place of each level to that of the next, over stages without any.
        paths: list[list[nn.Module]] = [[]]
        for i in reversed(range(len(channels))):
            if latent_channels[i]:
                shape = (latent_channels[i], *sizes[i + 1])
                self.from_maps.append(from_map(shape, channels[i]))
                paths.append([])
            paths[-1] += up(channels[i], [outputs, *channels][i], blocks[i], sizes[i], last=i == 0)
        self.paths = nn.ModuleList(nn.Sequential(*layers) for layers in paths)

    def begin(self, top: Tensor) -> Tensor:
        """Return the (B, F, h, w) features that the (B, d) latents of the top lead to."""
        features: Tensor = self.paths[0](self.from_top(top))
        return features

    def join(self, level: int, features: Tensor, latents: Tensor) -> Tensor:
        """Return the features that those of the latents above lead to, with a level's latents.

        Args:
            level: number of the level, from 1: the top is 0.
            features: (B, F, h, w) features of the latents above, at the place of this level.
            latents: (B, d_l) latents of the level.

        Returns:
            (B, F', h', w') features at the place of the next level; after the last level the
            (B, outputs, H, W) likelihood parameters.
        """
        joined = features + self.from_maps[level - 1](latents)
        following: Tensor = self.paths[level](joined)
        return following

    def forward(self, latents: Tensor) -> Tensor:
        """Return (B, outputs, H, W) parameters of (B, d) latents."""
        top, *below = torch.split(latents, self.level_dims, dim=1)
        features = self.begin(top)
        for level, own in enumerate(below, start=1):
            features = self.join(level, features, own)
        return features

"""A network of levels of latents: a pass from images upwards, and one from the top downwards."""

import itertools
import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from reslag_vae.networks.base import ImageShape, Network, check_sizes
from reslag_vae.networks.blocks import Crop, block, stage_sizes
from reslag_vae.networks.normalization import BatchNorm
from reslag_vae.networks.plain import seed_features
from reslag_vae.networks.upsampling import Doubling
from reslag_vae.options import require


class LadderNetwork(Network):
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
        parameters_per_latent: 2 for mean and log-variance.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.

    Attributes:
        feature_channels: channels of the features that the levels below the top are generated from,
            in their order.
        map_channels: channels of the latents of the levels below the top, in their order.

    Raises:
        ValueError: the latents are not fewer than the image's numbers, or the stages do not fit it.
    """

    name: ClassVar[str] = "ladder"
    provides = frozenset({"hierarchy"})
    inference: "BottomUp"
    generative: "TopDown"

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
        super().__init__(
            BottomUp(
                image_shape, latent_dim, channels, blocks, latent_channels, parameters_per_latent
            ),
            TopDown(
                image_shape,
                latent_dim,
                channels,
                blocks,
                latent_channels,
                image_shape[0] * parameters_per_channel,
            ),
            image_shape,
            sum(levels),
            parameters_per_latent,
            parameters_per_channel,
        )
        self.level_dims = levels
        self.level_parameters = tuple(own * parameters_per_latent for own in levels)
        stages = zip(channels, latent_channels, strict=True)
        self.feature_channels = tuple(features for features, own in stages if own)[::-1]
        self.map_channels = tuple(own for own, *_ in maps)


def check_maps(
    image_shape: ImageShape, latent_dim: int, channels: list[int], latent_channels: list[int]
) -> list[tuple[int, int, int]]:
    """Return (C, H, W) of the maps of latents, the innermost first.

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
    maps = [(own, *size) for own, size in stages if own][::-1]
    count = latent_dim + sum(map(math.prod, maps))
    if count >= math.prod(image_shape):
        raise ValueError(
            f"network.latent_dim={latent_dim}, network.latent_channels={latent_channels}: {count} "
            f"latents in all; they must be fewer than the image's {math.prod(image_shape)} numbers."
        )
    return maps


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
        latent_dim: int,
        channels: list[int],
        blocks: list[int],
        latent_channels: list[int],
        outputs: int,
    ) -> None:
        super().__init__()
        sizes = stage_sizes(image_shape, len(channels))
        maps = check_maps(image_shape, latent_dim, channels, latent_channels)
        self.level_dims = [latent_dim, *map(math.prod, maps)]
        self.from_top = seed_features(image_shape, latent_dim, channels)
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


class Residual(nn.Module):
    """A residual block: what two convolutions make of features is added to these."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            BatchNorm(channels),
            nn.ReLU(inplace=True),
            *block(nn.Conv2d(channels, channels, 3, padding=1, bias=False), channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return (B, F, h, w) features of (B, F, h, w) features."""
        added: Tensor = self.layers(features)
        return features + added


def down(in_channels: int, out_channels: int, blocks: int) -> nn.Sequential:
    """Return a stage that halves height and width, rounded up, and has some residual blocks."""
    halving = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(
        *block(halving, out_channels), *(Residual(out_channels) for _ in range(blocks))
    )


def up(
    in_channels: int, out_channels: int, blocks: int, size: tuple[int, int], last: bool
) -> list[nn.Module]:
    """Return the layers of a stage of residual blocks that doubles height and width, and crops.

    The `last` stage ends in its convolution, without normalisation: what the likelihood is given.
    """
    layers: list[nn.Module] = [Residual(in_channels) for _ in range(blocks)]
    layers += [BatchNorm(in_channels), nn.ReLU(inplace=True)]
    layers += [Doubling(in_channels, out_channels, bias=last), Crop(size)]
    return layers if last else [*layers, BatchNorm(out_channels), nn.ReLU(inplace=True)]


def from_map(shape: tuple[int, int, int], channels: int) -> nn.Sequential:
    """Return a module from the (B, d) latents of a map to features of the map's size."""
    return nn.Sequential(
        nn.Unflatten(1, shape), nn.Conv2d(shape[0], channels, 3, padding=1, bias=False)
    )

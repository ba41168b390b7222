"""The ResLag networks made deep: connections of the stages become levels of latents."""

import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from reslag_vae.networks.base import ImageShape, check_sizes
from reslag_vae.networks.blocks import down_stages
from reslag_vae.networks.hierarchy import BottomUp, HierarchicalNetwork, TopDown
from reslag_vae.networks.ladder_stages import Residual
from reslag_vae.networks.plain import up_stages
from reslag_vae.networks.residual import LightResidualNetwork, connection_shapes
from reslag_vae.options import require

Shape = tuple[int, int, int]


class DeepResidualNetwork(HierarchicalNetwork):
    """The light ResLag network whose connections lead to and from levels of latents of their own.

    In `LightResidualNetwork` one latent connects to all stages of encoder and decoder. Here the
    decoder's stages are parted among levels, the innermost ones being the top's. The connections of
    a stage are given the latents of its level and of all levels above. A level is inferred from the
    connections of all stages of the encoder, beside the features that the levels above lead to,
    from which its prior comes, too. With one level it is `LightResidualNetwork`.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: dimensions of each level.
        channels: channels of each stage, from the image inwards.
        blocks: convolution blocks of each stage.
        levels: number of levels, at most that of the stages; None for one at each stage.
        residual_blocks: residual blocks of each stage, beside its convolution blocks.
        parameters_per_latent: 2 for mean and log-variance, 1 for the logit of a binary unit.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.

    Raises:
        ValueError: there are more levels than stages, the latents are not fewer than the image's
            numbers, or the stages do not fit it.
    """

    name: ClassVar[str] = "residual_deep"
    provides = frozenset({"hierarchy", "residual_deep"})

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        channels: list[int],
        blocks: list[int],
        levels: int | None = None,
        residual_blocks: int = 0,
        parameters_per_latent: int = 2,
        parameters_per_channel: int = 1,
    ) -> None:
        check_sizes(image_shape, latent_dim, channels, blocks)
        require("network.residual_blocks", residual_blocks)
        require("network.levels", levels)
        level_dims = (latent_dim,) * (len(channels) if levels is None else levels)
        check_levels(image_shape, level_dims, len(channels))
        outputs = image_shape[0] * parameters_per_channel
        numbers = [own * parameters_per_latent for own in level_dims]
        super().__init__(
            DeepEncoder(image_shape, numbers, channels, blocks, residual_blocks),
            DeepDecoder(
                image_shape,
                level_dims,
                channels,
                blocks,
                residual_blocks,
                parameters_per_latent,
                outputs,
            ),
            image_shape,
            level_dims,
            parameters_per_latent,
            parameters_per_channel,
        )


class DeepEncoder(BottomUp):
    """A module from images to the posterior parameters of levels, each from all stages."""

    def __init__(
        self,
        image_shape: ImageShape,
        numbers: list[int],
        channels: list[int],
        blocks: list[int],
        residual_blocks: int,
    ) -> None:
        super().__init__()
        connections = shapes_of(image_shape, len(channels))
        stages = zip(down_stages(image_shape[0], channels, blocks), channels, strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(*stage, *residuals(width, residual_blocks)) for stage, width in stages
        )
        self.reductions = nn.ModuleList(
            nn.Conv2d(width, shape[0], 1)
            for width, shape in zip(channels, connections, strict=True)
        )
        groups = levels_of_stages(len(channels), len(numbers))
        self.contexts = nn.ModuleList()
        self.to_parameters = nn.ModuleList()
        for level, (own, count) in enumerate(zip(groups, numbers, strict=True)):
            inputs = sum(map(math.prod, connections))
            if level:
                place = max(own)  # the level's innermost stage, where it joins the decoder
                self.contexts.append(reduction(channels[place], connections[place]))
                inputs += math.prod(connections[place])
            self.to_parameters.append(nn.Linear(inputs, count))

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the (B, n) connections of all stages, the same for each level."""
        features, parts = images, []
        for stage, reduce in zip(self.stages, self.reductions, strict=True):
            features = stage(features)
            parts.append(reduce(features).flatten(1))
        return [torch.cat(parts, dim=1)] * len(self.to_parameters)

    def numbers(self, level: int, features: Tensor, above: Tensor | None) -> Tensor:
        """Return the (B, parameters) of a level; see the base class."""
        if above is not None:
            features = torch.cat([features, self.contexts[level - 1](above)], dim=1)
        parameters: Tensor = self.to_parameters[level](features)
        return parameters


class DeepDecoder(TopDown):
    """A module from (B, d) latents of all levels to the likelihood's parameters, by connections.

    As in `ResidualDecoder`, all connections have equal weight, whichever level they come from.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        level_dims: tuple[int, ...],
        channels: list[int],
        blocks: list[int],
        residual_blocks: int,
        parameters_per_latent: int,
        outputs: int,
    ) -> None:
        super().__init__(level_dims)
        self.connections = shapes_of(image_shape, len(channels))
        self.groups = [own[::-1] for own in levels_of_stages(len(channels), len(level_dims))]
        self.from_latents = nn.ModuleList(
            nn.Linear(width, sum(math.prod(self.connections[stage]) for stage in own))
            for width, own in zip(itertools.accumulate(level_dims), self.groups, strict=True)
        )
        inwards = list(reversed(range(len(channels))))
        self.expansions = nn.ModuleList(
            nn.Conv2d(self.connections[stage][0], channels[stage], 1) for stage in inwards
        )
        stages = zip(up_stages(image_shape, channels, blocks, outputs), inwards, strict=True)
        self.stages = nn.ModuleList(
            nn.Sequential(*residuals(channels[index], residual_blocks), *stage)
            for stage, index in stages
        )
        self.heads = nn.ModuleList()
        for width, own in zip(level_dims[1:], self.groups[1:], strict=True):
            shape = self.connections[own[0]]
            seen = reduction(channels[own[0]], shape)
            numbers = width * parameters_per_latent
            self.heads.append(nn.Sequential(*seen, nn.Linear(math.prod(shape), numbers)))

    def join(self, level: int, above: Tensor | None, latents: Sequence[Tensor]) -> Tensor:
        """Return the features of the latents down to a level; see the base class."""
        shapes = [self.connections[stage] for stage in self.groups[level]]
        sizes = [math.prod(own) for own in shapes]
        flat = self.from_latents[level](torch.cat(list(latents), dim=1)).split(sizes, dim=1)
        running = above
        for stage, shape, part in zip(self.groups[level], shapes, flat, strict=True):
            held = len(self.stages) - 1 - stage
            joining = self.expansions[held](part.unflatten(1, shape))
            # The running tensor holds so many connections already.
            mean = joining if running is None else (held * running + joining) / (held + 1)
            running = self.stages[held](mean)
        assert running is not None, "every level has a stage"
        return running

    def numbers(self, level: int, above: Tensor) -> Tensor:
        """Return the (B, parameters) of the prior of a level."""
        parameters: Tensor = self.heads[level - 1](above)
        return parameters


def shapes_of(image_shape: ImageShape, stages: int) -> list[Shape]:
    """Return (channels, height, width) of the light network's connections, image inwards."""
    return connection_shapes(image_shape, stages, LightResidualNetwork.width)


def levels_of_stages(stages: int, levels: int) -> list[list[int]]:
    """Return the stages of each level, top first, each from the image inwards.

    The top level has the innermost stages. Where they do not go up, some levels have one more.
    """
    groups: list[list[int]] = [[] for _ in range(levels)]
    for stage in range(stages):
        groups[(stages - 1 - stage) * levels // stages].append(stage)
    return groups


def residuals(channels: int, count: int) -> list[nn.Module]:
    """Return `count` residual blocks."""
    return [Residual(channels) for _ in range(count)]


def reduction(channels: int, shape: Shape) -> nn.Sequential:
    """Return a module from features to the (B, n) numbers of a connection of a shape."""
    return nn.Sequential(nn.Conv2d(channels, shape[0], 1), nn.Flatten())


def check_levels(image_shape: ImageShape, level_dims: tuple[int, ...], stages: int) -> None:
    """Refuse levels that do not fit the stages or the image.

    Raises:
        ValueError: the message names the option.
    """
    levels, latent_dim = len(level_dims), level_dims[0]
    if levels > stages:
        raise ValueError(
            f"network.levels={levels}: network.channels has {stages} stage(s), and a level takes "
            "at least one."
        )
    dimensions = math.prod(image_shape)
    if sum(level_dims) >= dimensions:
        raise ValueError(
            f"network.latent_dim={latent_dim}: {sum(level_dims)} latents in all, at {levels} "
            f"level(s); they must be fewer than the image's {dimensions} numbers."
        )

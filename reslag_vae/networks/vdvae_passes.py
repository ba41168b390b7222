"""The two passes of a very deep VAE: from images upwards, and from the top level downwards."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reslag_vae.networks.base import ImageShape
from reslag_vae.networks.blocks import Crop
from reslag_vae.networks.hierarchy import BottomUp, TopDown


class Place(NamedTuple):
    """The place of a level of latents.

    Attributes:
        stage: number of its resolution, from the image inwards; the last one is 1 x 1.
        shape: (C, h, w) of its latents.
    """

    stage: int
    shape: tuple[int, int, int]

    @property
    def kernel(self) -> int:
        """Side of the convolutions there: at 1 x 1 there are no neighbours."""
        return 1 if self.shape[1:] == (1, 1) else 3


class VeryDeepEncoder(BottomUp):
    """A module from images to posterior parameters, each given the features of the levels above."""

    def __init__(
        self, in_channels: int, places: Sequence[Place], width: int, parameters_per_latent: int
    ) -> None:
        super().__init__()
        self.places, self.width = places, width
        scale = 1 / math.sqrt(len(places) + 1)
        first = [nn.Conv2d(in_channels, width, 3, padding=1), Residual(width, 3, scale)]
        stages: list[list[nn.Module]] = [first, *([] for _ in range(places[0].stage))]
        for stage, layers in enumerate(stages):
            last = stage == len(stages) - 1
            layers.append(nn.AdaptiveAvgPool2d(1) if last else nn.AvgPool2d(2, ceil_mode=True))
        for place in places:
            stages[place.stage].append(Residual(width, place.kernel, scale))
        self.stages = nn.ModuleList(nn.Sequential(*layers) for layers in stages)
        self.heads = nn.ModuleList()
        for level, place in enumerate(places):
            seen = 2 * width if level else width
            numbers = place.shape[0] * parameters_per_latent
            self.heads.append(bottleneck(seen, width, numbers, place.kernel))

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the (B, width, h, w) features at the resolution of each level, top first."""
        features, found = images, []
        for stage in self.stages:
            features = stage(features)
            found.append(features)
        return [found[place.stage] for place in self.places]

    def numbers(self, level: int, features: Tensor, above: Tensor | None) -> Tensor:
        """Return the (B, parameters) of a level; see the base class."""
        if above is not None:
            features = torch.cat([features, above[:, : self.width]], dim=1)
        parameters: Tensor = self.heads[level](features)
        return parameters.flatten(1)


class VeryDeepDecoder(TopDown):
    """A module from (B, d) latents of all levels to (B, outputs, H, W) likelihood parameters.

    The prior's block of a level gives the prior's numbers and a residual to the features, which
    `join` adds after the posterior has seen them. So that it is computed once, what is passed from
    level to level is joined along channels: the features first, then the residual and the numbers.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        places: Sequence[Place],
        width: int,
        parameters_per_latent: int,
        outputs: int,
    ) -> None:
        super().__init__(tuple(math.prod(place.shape) for place in places))
        self.places, self.width = places, width
        scale = 1 / math.sqrt(len(places) + 1)
        self.from_latents, self.blocks = nn.ModuleList(), nn.ModuleList()
        self.priors, self.enlargings = nn.ModuleList(), nn.ModuleList()
        for level, place in enumerate(places):
            self.from_latents.append(pointwise(place.shape[0], width, scale))
            self.blocks.append(Residual(width, place.kernel, scale))
            if level:
                numbers = width + place.shape[0] * parameters_per_latent
                self.priors.append(bottleneck(width, width, numbers, place.kernel, scale))
                if place.stage != places[level - 1].stage:
                    self.enlargings.append(Enlarging(width, place.shape[1:]))
        self.enlargings.append(Enlarging(width, image_shape[1:]))
        self.to_outputs = nn.Sequential(Residual(width, 3, scale), nn.Conv2d(width, outputs, 1))

    def join(self, level: int, above: Tensor | None, latents: Sequence[Tensor]) -> Tensor:
        """Return the features of the latents down to a level; see the base class."""
        place = self.places[level]
        features: Tensor = self.from_latents[level](latents[-1].reshape(-1, *place.shape))
        if above is not None:
            features = features + above[:, : self.width] + above[:, self.width : 2 * self.width]
        features = self.blocks[level](features)
        last = level == len(self.places) - 1
        if last or self.places[level + 1].stage != place.stage:
            # The first of them leads away from 1 x 1, the stage of the highest number.
            features = self.enlargings[self.places[0].stage - place.stage](features)
        if last:
            outputs: Tensor = self.to_outputs(features)
            return outputs
        return torch.cat([features, self.priors[level](features)], dim=1)

    def numbers(self, level: int, above: Tensor) -> Tensor:
        """Return the (B, parameters) of the prior of a level, which `join` has computed."""
        return above[:, 2 * self.width :].flatten(1)


class Residual(nn.Module):
    """A residual block: what a bottleneck makes of features is added to these.

    Args:
        width: channels of the features.
        kernel: side of the bottleneck's inner convolutions.
        scale: factor of the last convolution's initial weights.
    """

    def __init__(self, width: int, kernel: int, scale: float) -> None:
        super().__init__()
        self.layers = bottleneck(width, width, width, kernel, scale)

    def forward(self, features: Tensor) -> Tensor:
        """Return (B, width, h, w) features of (B, width, h, w) features."""
        added: Tensor = self.layers(features)
        return features + added


class Enlarging(nn.Module):
    """Nearest-neighbour upsampling, from half of a size or from 1 x 1.

    A number for each channel and position is learned and added: without it, what comes of one
    vector would be the same at all positions but for the border.

    Args:
        width: channels of the features.
        size: (h, w) to which the features are enlarged.
    """

    def __init__(self, width: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(width, *size))
        self.crop = Crop(size)

    def forward(self, features: Tensor) -> Tensor:
        """Return (B, width, h, w) features."""
        if features.shape[-2:] != (1, 1):
            features = self.crop(F.interpolate(features, scale_factor=2))
        return features + self.positions


def bottleneck(
    in_channels: int, width: int, out_channels: int, kernel: int, scale: float = 1.0
) -> nn.Sequential:
    """Return a block of four convolutions, each after a GELU; the inner ones have half the width.

    Args:
        in_channels: channels of what it is given.
        width: channels of the network's features.
        out_channels: channels of what it returns.
        kernel: side of the two convolutions in the middle; the outer ones are of 1 x 1.
        scale: factor of the last convolution's initial weights.
    """
    inner = (width + 1) // 2
    return nn.Sequential(
        nn.GELU(),
        nn.Conv2d(in_channels, inner, 1),
        nn.GELU(),
        nn.Conv2d(inner, inner, kernel, padding=kernel // 2),
        nn.GELU(),
        nn.Conv2d(inner, inner, kernel, padding=kernel // 2),
        nn.GELU(),
        pointwise(inner, out_channels, scale),
    )


def pointwise(in_channels: int, out_channels: int, scale: float) -> nn.Conv2d:
    """Return a convolution of 1 x 1 whose initial weights are scaled, and whose biases are 0.

    Without biases, untrained posteriors are near their priors.
    """
    convolution = nn.Conv2d(in_channels, out_channels, 1)
    with torch.no_grad():
        convolution.get_parameter("weight").mul_(scale)
        convolution.get_parameter("bias").zero_()
    return convolution

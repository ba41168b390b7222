"""A network of two levels of latents, each a grid of vectors: a coarse one, and a fine one."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from reslag_vae.networks.base import ImageShape, Network, check_sizes
from reslag_vae.networks.blocks import Crop, down_stages, stage_sizes, up_stage
from reslag_vae.networks.plain import up_stages
from reslag_vae.networks.upsampling import Doubling
from reslag_vae.options import require


class TwoGridNetwork(Network):
    """Stages of convolutions to a bottom grid, one more to a top grid, and what leads back.

    As in VQ-VAE-2 (Razavi et al. 2019, https://arxiv.org/abs/1906.00446). The top's latents are
    decoded to the bottom's size for the encoder of the bottom, and once more, by one transposed
    convolution, for the decoder, which sees them beside the bottom's. No layer but convolutions.

    Args:
        image_shape: (C, H, W) of the images.
        code_dim: numbers at each position of both grids.
        channels: channels of each stage, at least two, from the image inwards; each stage halves
            height and width, and the last one leads from the bottom grid to the top grid.
        blocks: convolution blocks of each stage.
        parameters_per_latent: 2 for mean and log-variance, 1 for codes.
        parameters_per_channel: the likelihood's numbers for each channel of a pixel.

    Attributes:
        code_dim: numbers at each position of both grids.
        grids: (H, W) of the positions of the top and of the bottom.

    Raises:
        ValueError: an argument is out of its range, or the stages do not fit the image.
    """

    name: ClassVar[str] = "two_grids"
    provides = frozenset({"grid"})
    inference: "TwoGridEncoder"

    def __init__(
        self,
        image_shape: ImageShape,
        code_dim: int,
        channels: list[int],
        blocks: list[int],
        parameters_per_latent: int = 1,
        parameters_per_channel: int = 1,
    ) -> None:
        require("network.code_dim", code_dim)
        check_sizes(image_shape, 1, channels, blocks)
        if len(channels) < 2:
            raise ValueError(
                f"network.channels={channels}: at least 2 stages are wanted, the last of which "
                "leads from the bottom grid to the top grid."
            )
        *_, bottom, top = stage_sizes(image_shape, len(channels))
        levels = (code_dim * math.prod(top), code_dim * math.prod(bottom))
        outputs = image_shape[0] * parameters_per_channel
        super().__init__(
            TwoGridEncoder(image_shape, code_dim, parameters_per_latent, channels, blocks),
            TwoGridDecoder(image_shape, code_dim, channels, blocks, outputs),
            image_shape,
            sum(levels),
            parameters_per_latent,
            parameters_per_channel,
        )
        self.code_dim, self.grids = code_dim, (top, bottom)
        self.level_dims = levels
        self.level_parameters = tuple(own * parameters_per_latent for own in levels)


class TwoGridEncoder(nn.Module):
    """A module from images to both levels' posterior parameters.

    Those of the bottom depend on the top's latents: `features`, then `top`, then `bottom` lead
    through a posterior in between.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        code_dim: int,
        parameters_per_latent: int,
        channels: list[int],
        blocks: list[int],
    ) -> None:
        super().__init__()
        *_, bottom, top = stage_sizes(image_shape, len(channels))
        *stages, last = down_stages(image_shape[0], channels, blocks)
        numbers = code_dim * parameters_per_latent
        self.top_dim = code_dim * math.prod(top)
        self.to_bottom = nn.Sequential(*stages)
        self.to_top = nn.Sequential(last, nn.Conv2d(channels[-1], numbers, 1), nn.Flatten())
        self.from_top = nn.Sequential(
            nn.Unflatten(1, (code_dim, *top)),
            nn.Conv2d(code_dim, channels[-1], 3, padding=1),
            nn.ReLU(),
            up_stage(channels[-1], channels[-2], blocks[-1], bottom, last=False),
        )
        self.to_vectors = nn.Sequential(nn.Conv2d(2 * channels[-2], numbers, 1), nn.Flatten())

    def features(self, images: Tensor) -> Tensor:
        """Return (B, F, h, w) features of (B, C, H, W) images, at the size of the bottom grid."""
        features: Tensor = self.to_bottom(images)
        return features

    def top(self, features: Tensor) -> Tensor:
        """Return the (B, parameters) of the top level from the features of images."""
        parameters: Tensor = self.to_top(features)
        return parameters

    def bottom(self, features: Tensor, top: Tensor) -> Tensor:
        """Return the (B, parameters) of the bottom level.

        Args:
            features: (B, F, h, w) features of images.
            top: (B, d) latents of the top level.
        """
        parameters: Tensor = self.to_vectors(torch.cat([features, self.from_top(top)], dim=1))
        return parameters

    def forward(self, images: Tensor) -> Tensor:
        """Return the (B, parameters) of both levels of (B, C, H, W) images.

        The top's latents are the first of its parameters, as the means of Gaussians are.
        """
        features = self.features(images)
        top = self.top(features)
        return torch.cat([top, self.bottom(features, top[:, : self.top_dim])], dim=1)


class TwoGridDecoder(nn.Module):
    """A module from (B, d) latents of both levels to (B, outputs, H, W) likelihood parameters."""

    def __init__(
        self,
        image_shape: ImageShape,
        code_dim: int,
        channels: list[int],
        blocks: list[int],
        outputs: int,
    ) -> None:
        super().__init__()
        *_, bottom, top = stage_sizes(image_shape, len(channels))
        self.level_dims = [code_dim * math.prod(top), code_dim * math.prod(bottom)]
        self.from_top = nn.Sequential(
            nn.Unflatten(1, (code_dim, *top)), Doubling(code_dim, code_dim, bias=True), Crop(bottom)
        )
        self.from_bottom = nn.Unflatten(1, (code_dim, *bottom))
        self.to_image = nn.Sequential(
            nn.Conv2d(2 * code_dim, channels[-2], 3, padding=1),
            nn.ReLU(),
            *up_stages(image_shape, channels[:-1], blocks[:-1], outputs),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Return (B, outputs, H, W) parameters of (B, d) latents."""
        top, bottom = torch.split(latents, self.level_dims, dim=1)
        both = torch.cat([self.from_top(top), self.from_bottom(bottom)], dim=1)
        parameters: Tensor = self.to_image(both)
        return parameters

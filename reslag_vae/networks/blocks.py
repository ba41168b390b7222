"""The convolution stages that all networks share.

Networks therefore differ in their connections and not in their depth.
"""

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from reslag_vae.networks.base import ImageShape
from reslag_vae.networks.normalization import BatchNorm
from reslag_vae.networks.upsampling import Doubling

Size = tuple[int, int]


def stage_sizes(image_shape: ImageShape, stages: int) -> list[Size]:
    """Return heights and widths from the image's to the last stage's, halved and rounded up."""
    _, height, width = image_shape
    return [(math.ceil(height / 2**i), math.ceil(width / 2**i)) for i in range(stages + 1)]


def block(convolution: nn.Module, channels: int) -> list[nn.Module]:
    """Return a convolution block: the convolution, batch normalisation and ReLU.

    The convolution should have no bias.
    """
    return [convolution, BatchNorm(channels), nn.ReLU(inplace=True)]


def down_stage(in_channels: int, out_channels: int, blocks: int) -> nn.Sequential:
    """Return a stage of `blocks` convolution blocks, the first of which halves the size.

    Height and width are rounded up.
    """
    layers = block(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False), out_channels
    )
    for _ in range(blocks - 1):
        layers += block(
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False), out_channels
        )
    return nn.Sequential(*layers)


def down_stages(
    in_channels: int, channels: Sequence[int], blocks: Sequence[int]
) -> list[nn.Sequential]:
    """Return an encoder's stages, from the image inwards.

    Args:
        in_channels: channels of what the first stage is given.
        channels: channels of each stage.
        blocks: convolution blocks of each stage.
    """
    depths = itertools.pairwise([in_channels, *channels])
    return [
        down_stage(inner, outer, count)
        for (inner, outer), count in zip(depths, blocks, strict=True)
    ]


def up_stage(
    in_channels: int, out_channels: int, blocks: int, size: Size, last: bool
) -> nn.Sequential:
    """Return the mirror of `down_stage`, whose last block doubles the size and crops it.

    The `last` stage ends in its convolution, without normalisation: what the likelihood is given.
    """
    layers: list[nn.Module] = []
    for _ in range(blocks - 1):
        layers += block(nn.Conv2d(in_channels, in_channels, 3, padding=1, bias=False), in_channels)
    layers += [Doubling(in_channels, out_channels, bias=last), Crop(size)]
    if not last:
        layers += [BatchNorm(out_channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class Crop(nn.Module):
    """A module that crops images to their upper left (height, width).

    It undoes the rounding up of an odd size.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def extra_repr(self) -> str:
        """Return the size that the printed module shows."""
        return f"{self.size[0]} x {self.size[1]}"

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, C, H, W) images cropped to the module's size."""
        height, width = images.shape[-2:]
        if (height, width) == self.size:
            return images  # slicing would copy the gradient once for each axis
        return F.pad(images, (0, self.size[1] - width, 0, self.size[0] - height))

"""A transposed convolution that doubles height and width, and its compiled form."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Convolutions on a CPU compute 16 channels at a time, and the sub-pixel form has four for each
# colour.
MOST_COLOURS = 4


class Doubling(nn.ConvTranspose2d):
    """A transposed convolution that doubles height and width.

    With kernel 4 at stride 2, every output pixel is reached by the same number of taps.

    With few output channels, as in the layer that ends in the image, the CPU's transposed
    convolution wastes most of its time. When compiled, such a layer becomes an ordinary convolution
    (`subpixel`), whose result differs only by rounding.

    Args:
        in_channels: C, the number of input channels.
        out_channels: O, the number of output channels.
        bias: whether there is a bias.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool) -> None:
        super().__init__(in_channels, out_channels, kernel_size=4, stride=2, padding=1, bias=bias)

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return (B, O, 2 H, 2 W) features of (B, C, H, W) features."""
        compiled = (
            torch.compiler.is_compiling() and features.device.type == "cpu" and output_size is None
        )
        if not compiled or self.out_channels > MOST_COLOURS:
            return super().forward(features, output_size)
        return subpixel(features, self.weight, self.bias)


def subpixel(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return a transposed convolution of kernel 4, stride 2, padding 1 in sub-pixel form.

    That is a convolution of kernel 3 and a shuffle of its channels into pixels (Shi et al. 2016,
    https://arxiv.org/abs/1609.07009). Output row 2 i + r takes from input row i + e - 1 the tap r +
    3 - 2 e, for r in (0, 1) and e in (0, 1, 2), or nothing where there is no such tap; columns
    likewise.

    Args:
        features: (B, C, H, W) input.
        weight: (C, O, 4, 4) weights of the transposed convolution.
        bias: (O,) bias, or None.

    Returns:
        (B, O, 2 H, 2 W) output.
    """
    # Row r takes the taps of 1 - r, 3 - r and 5 - r.
    taps = F.pad(weight.flip(2, 3).transpose(0, 1), (1, 1, 1, 1))
    kernels = torch.cat(
        [taps[:, :, 1 - r : 6 - r : 2, 1 - c : 6 - c : 2] for r in (0, 1) for c in (0, 1)]
    )
    kernels = kernels.contiguous(memory_format=torch.channels_last)
    parts = F.conv2d(features, kernels, None if bias is None else bias.repeat(4), padding=1)
    images, colours, height, width = len(features), weight.shape[1], *features.shape[2:]
    parts = parts.view(images, 2, 2, colours, height, width).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(images, colours, 2 * height, 2 * width)

"""The transposed convolution that doubles height and width, and what it compiles to where it leads to the image."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Convolutions on a CPU compute 16 channels at a time, and the sub-pixel form has four for each colour.
MOST_COLOURS = 4


class Doubling(nn.ConvTranspose2d):
    """Kernel 4 at stride 2: every output pixel is reached by the same number of taps.

    Few channels come out of the last one, for which the libraries' transposed convolutions waste most of their time on
    a CPU. A compiled one is an ordinary convolution there (see `subpixel`); the result is the same but for rounding.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool) -> None:
        super().__init__(in_channels, out_channels, kernel_size=4, stride=2, padding=1, bias=bias)

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        on_cpu = torch.compiler.is_compiling() and features.device.type == "cpu"
        if on_cpu and self.out_channels <= MOST_COLOURS:
            return subpixel(features, self.weight, self.bias)
        return super().forward(features, output_size)


def subpixel(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The transposed convolution of kernel 4, stride 2, padding 1 as a convolution of kernel 3 and a shuffle.

    Shi et al. 2016, https://arxiv.org/abs/1609.07009. Output row 2i + r takes from input row i + 1 - k the tap
    2k + r - 1, for r in (0, 1) and k in (0, 1, 2), or nothing where there is no such tap; columns likewise.

    Args:
        features: (B, C, H, W).
        weight: (C, O, 4, 4).
        bias: (O,), or None.

    Returns:
        (B, O, 2 H, 2 W).
    """
    inner, colours = weight.shape[:2]
    taps = F.pad(weight, (1, 1, 1, 1)).view(inner, colours, 3, 2, 3, 2)  # (C, O, k, r, k, r)
    kernels = taps.flip(2, 4).permute(1, 3, 5, 0, 2, 4).flatten(0, 2)  # (O · r · r, C, 3, 3)
    repeated = None if bias is None else bias.repeat_interleave(4)
    kernels = kernels.contiguous(memory_format=torch.channels_last)
    return F.pixel_shuffle(F.conv2d(features, kernels, repeated, padding=1), 2)

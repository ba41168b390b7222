"""The numbers of pixels: 8 bits, the unit interval, and bits per dimension."""

import math
from typing import TypeVar

import torch
from torch import Tensor

Nats = TypeVar("Nats", float, Tensor)

# Nats that a pixel's cell of 1/256 adds to a density on [0, 1], in bits.
BITS_OF_A_PIXEL = 8

# Grey values of 8 bits from here on are white for a model of black and white.
WHITE_FROM = 128


def unit_interval(images: Tensor) -> Tensor:
    """Return (B, C, H, W) images as floating point in [0, 1].

    uint8 is divided by 255 into float32, with channels last in memory as in the networks. Floating
    point is assumed to be in [0, 1] and returned unchanged.
    """
    if images.dtype != torch.uint8:
        return images
    floats = images.to(torch.float32).div_(255)
    return floats.contiguous(memory_format=torch.channels_last)


def eight_bits(images: Tensor) -> Tensor:
    """Return (B, C, H, W) images in [0, 1] as uint8, rounded; values beyond are cut."""
    return (255 * images.float().clamp(0, 1)).round().to(torch.uint8)


def bits_per_dim(elbo: Nats, dimensions: int, discrete: bool = False) -> Nats:
    """Return the bits per pixel and channel of an ELBO.

    For a density on the [0, 1] scale: -elbo / (D ln 2) + 8, the density rescaled to 256 grey
    levels, without dequantisation noise. For a mass: -elbo / (D ln 2).

    Args:
        elbo: ELBO in nats, of all images or of each.
        dimensions: D, the number of numbers in an image.
        discrete: whether the ELBO bounds the logarithm of a mass.
    """
    bits = -elbo / (dimensions * math.log(2))
    return bits if discrete else bits + BITS_OF_A_PIXEL

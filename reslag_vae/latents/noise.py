"""Rows of normal numbers that are the same wherever they are drawn."""

import math

import torch
from torch import Tensor


def normal_rows(count: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw (count, width) standard normal numbers on the CPU.

    A row does not depend on how many rows are drawn at a time.
    """
    # PyTorch fills normal numbers in blocks of 16.
    return torch.randn(count, 16 * math.ceil(width / 16), generator=generator)[:, :width]


def categories(masses: Tensor, uniforms: Tensor) -> Tensor:
    """Return the categories in whose parts of [0, 1], one after the other, numbers lie.

    Args:
        masses: (K,) masses of the categories, or (B, K) of B rows of numbers.
        uniforms: (N,) numbers from 0 to 1, or (B, N).
    """
    edges = masses.cumsum(-1)
    # The last edge may be below 1 by rounding.
    return torch.searchsorted(edges, uniforms.contiguous()).clamp_max(edges.shape[-1] - 1)


def balanced_normal_rows(count: int, width: int) -> Tensor:
    """Return (count, width) normal numbers in float64, the same ones at every call.

    In each column their mean is exactly 0 and their variance 1, so that the moments that an affine
    map of them estimates are exact.
    """
    rows = normal_rows(count, width, torch.Generator().manual_seed(0)).double()
    spread, mean = torch.std_mean(rows, 0, correction=0)
    return (rows - mean) / spread

"""Latents to decode: straight lines, squares between four codes, and steps along one dimension."""

import torch
from torch import Tensor


def line(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """(steps, d) even steps on the straight line from one (d,) code to another, both included."""
    weights = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)
    return start.lerp(end, weights.view(-1, *[1] * start.ndim))


def bilinear(corners: Tensor, steps: int) -> Tensor:
    """(steps, steps, d) codes between (4, d) corners: upper left, upper right, lower left, lower right.

    The first index goes down, the second to the right.

    Raises:
        ValueError: not four corners.
    """
    if len(corners) != 4:
        raise ValueError(f"A square has four corners, not {len(corners)}.")
    edges = line(corners[:2], corners[2:], steps)
    return line(edges[:, 0], edges[:, 1], steps).transpose(0, 1)


def traverse(code: Tensor, dimension: int, values: Tensor) -> Tensor:
    """(S, d) copies of a (d,) code with one dimension set to each of (S,) values, in the latent's own unit."""
    codes = code.repeat(len(values), 1)
    codes[:, dimension] = values.to(codes)
    return codes

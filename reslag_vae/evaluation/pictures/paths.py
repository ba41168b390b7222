"""Paths through the latent: straight lines, squares between codes, and single dimensions."""

import torch
from torch import Tensor


def line(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return (steps, d) evenly spaced codes on the straight line between two (d,) codes.

    Both ends are included.
    """
    weights = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device)
    return start.lerp(end, weights.view(-1, *[1] * start.ndim))


def bilinear(corners: Tensor, steps: int) -> Tensor:
    """Return (steps, steps, d) codes between the four corners of a square.

    The (4, d) corners are upper left, upper right, lower left and lower right. The first index runs
    downwards, the second to the right.

    Raises:
        ValueError: there are not four corners.
    """
    if len(corners) != 4:
        raise ValueError(f"A square has four corners, not {len(corners)}.")
    edges = line(corners[:2], corners[2:], steps)
    return line(edges[:, 0], edges[:, 1], steps).transpose(0, 1)


def traverse(code: Tensor, dimension: int, values: Tensor) -> Tensor:
    """Return (S, d) copies of a (d,) code with one dimension set to each of (S,) values.

    The values are in the latent's own unit.
    """
    codes = code.repeat(len(values), 1)
    codes[:, dimension] = values.to(codes)
    return codes

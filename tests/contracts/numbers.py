"""Numerical references of the contracts."""

import math

import torch
from torch import Tensor

# Standard errors by which an estimate may differ: one in 1.7 million does by chance.
ERRORS = 5.0


def assert_mean(values: Tensor, expected: Tensor, others: Tensor | None = None) -> None:
    """Assert that the mean of independent rows is what is expected, within standard errors.

    Args:
        values: (N, ...).
        expected: (...).
        others: (M, ...) further independent rows, by whose mean `expected` is known.
    """
    variance = values.var(0) / len(values)
    if others is not None:
        variance = variance + others.var(0) / len(others)
    # Rounding is all that there is where the values are all the same.
    bound = ERRORS * variance.sqrt() + 1e-9 * (1 + expected.abs())
    assert ((values.mean(0) - expected).abs() <= bound).all()


def standard_normal_log_prob(latents: Tensor) -> Tensor:
    """(B,) log-density of (B, d) latents under N(0, I), in nats."""
    return -0.5 * (latents.square() + math.log(2 * math.pi)).sum(1)


def grid(reach: float, count: int = 40_001) -> Tensor:
    """(count,) points of a line from -reach to reach, for the trapezoidal rule."""
    return torch.linspace(-reach, reach, count, dtype=torch.float64)


def support(binary: bool, reach: float) -> Tensor:
    """The values of a latent: 0 and 1, or points of a line for the trapezoidal rule."""
    return torch.tensor([0.0, 1.0], dtype=torch.float64) if binary else grid(reach)


def integral(values: Tensor, points: Tensor) -> Tensor:
    """(...) integrals of (..., N) values over the N points of `support`, or sums over 0 and 1."""
    return values.sum(-1) if len(points) == 2 else torch.trapezoid(values, points)

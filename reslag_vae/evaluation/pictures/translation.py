"""Directions of the latent that add an attribute or turn one class into another."""

from collections.abc import Sequence

import torch
from torch import Tensor


def attribute_directions(codes: Tensor, members: Tensor) -> Tensor:
    """Return the (A, d) mean codes of images with each attribute less those without it.

    White 2016, https://arxiv.org/abs/1609.04468, section 3, calls them attribute vectors.

    Args:
        codes: (N, d) codes of images.
        members: (N, A) bool, which images have each attribute. An attribute that all or none have
            gets a row of NaN.
    """
    return mean_codes(codes, members) - mean_codes(codes, ~members)


def class_mean_codes(codes: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return the (K, d) mean code of each class, NaN for a class without images.

    Args:
        codes: (N, d) codes of images.
        labels: (N,) class numbers; -1 is in no class.
        classes: K, the number of classes.
    """
    return mean_codes(codes, labels[:, None] == torch.arange(classes, device=labels.device))


def mean_codes(codes: Tensor, members: Tensor) -> Tensor:
    """Return the (G, d) mean code of each group of images, NaN for an empty group.

    Args:
        codes: (N, d) codes of images.
        members: (N, G) bool, which images are in each group.
    """
    weights = members.to(codes.device, torch.float64)
    means: Tensor = weights.T @ codes.double() / weights.sum(0)[:, None]
    return means.to(codes.dtype)


def nearest_class(means: Tensor) -> Tensor:
    """Return the (K,) number of the other class with the nearest mean, -1 if there is none.

    The distance between (K, d) means is Euclidean. A class without a mean (NaN) is nearest to none,
    and none is nearest to it.
    """
    distances: Tensor = (means[:, None] - means).norm(dim=-1).nan_to_num(nan=torch.inf)
    smallest, nearest = distances.fill_diagonal_(torch.inf).min(1)
    return nearest.where(smallest.isfinite(), -1)


def translate(code: Tensor, direction: Tensor, strengths: Sequence[float]) -> Tensor:
    """Return (S, d) codes: a (d,) code with a (d,) direction added in each of S strengths."""
    weights = torch.tensor(strengths, dtype=code.dtype, device=code.device)
    return code + weights[:, None] * direction

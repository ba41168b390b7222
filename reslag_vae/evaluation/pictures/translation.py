"""Directions of the latent that add an attribute to an image or turn one class into another."""

from collections.abc import Sequence

import torch
from torch import Tensor


def attribute_directions(codes: Tensor, members: Tensor) -> Tensor:
    """(A, d) mean code of the images that have an attribute, less that of the images that lack it.

    White 2016, https://arxiv.org/abs/1609.04468, section 3, calls them attribute vectors.

    Args:
        codes: (N, d).
        members: (N, A) bool, which images have each attribute. One that all or none have gets a row
            of NaN.
    """
    return mean_codes(codes, members) - mean_codes(codes, ~members)


def class_mean_codes(codes: Tensor, labels: Tensor, classes: int) -> Tensor:
    """(K, d) mean code of each class; a class without images gets a row of NaN.

    Args:
        codes: (N, d).
        labels: (N,) class numbers; -1 is in no class.
        classes: K.
    """
    return mean_codes(codes, labels[:, None] == torch.arange(classes, device=labels.device))


def mean_codes(codes: Tensor, members: Tensor) -> Tensor:
    """(G, d) mean code of each group of images; an empty group gets a row of NaN.

    Args:
        codes: (N, d).
        members: (N, G) bool, which images are in each group.
    """
    weights = members.to(codes.device, torch.float64)
    means: Tensor = weights.T @ codes.double() / weights.sum(0)[:, None]
    return means.to(codes.dtype)


def nearest_class(means: Tensor) -> Tensor:
    """(K,) number of the other class with the nearest (Euclidean) of (K, d) means; -1 where there is none.

    A class without a mean (NaN) is nearest to none, and none is nearest to it.
    """
    distances: Tensor = (means[:, None] - means).norm(dim=-1).nan_to_num(nan=torch.inf)
    smallest, nearest = distances.fill_diagonal_(torch.inf).min(1)
    return nearest.where(smallest.isfinite(), -1)


def translate(code: Tensor, direction: Tensor, strengths: Sequence[float]) -> Tensor:
    """(S, d) codes: a (d,) code with a (d,) direction added in each of the strengths."""
    weights = torch.tensor(strengths, dtype=code.dtype, device=code.device)
    return code + weights[:, None] * direction

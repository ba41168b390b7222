"""The Fréchet distance between two sets of features, each taken as a Gaussian."""

from typing import Any

import torch
from torch import Tensor

from reslag_vae.models.latent_inputs import as_latents

# Of the features that are left out together for a standard error
GROUPS = 20


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Return |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two sets of features.

    m and C are the means and unbiased covariances (Heusel et al. 2017,
    https://arxiv.org/abs/1706.08500, Eq. 6). With C = RᵀR from the QR decomposition of the centred
    features, the last trace is the sum of the singular values of R1 R2ᵀ: neither a covariance,
    whose small eigenvalues would drown in rounding, nor its root is ever formed, and covariances
    may be singular. The distance is biased upwards, the more so the fewer features there are:
    compare only distances of sets of equal sizes.

    Args:
        a: (N, d) features; N is at least 2.
        b: (M, d) features; M is at least 2.

    Raises:
        ValueError: a set has fewer than 2 features, or they are not finite or of unequal length.
    """
    a, b = as_features("a", a), as_features("b", b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"Features of {a.shape[1]} and of {b.shape[1]} numbers: they do not compare."
        )
    if min(len(a), len(b)) < 2:
        raise ValueError(f"Sets of {len(a)} and {len(b)} features: a covariance takes at least 2.")
    (mean_a, root_a), (mean_b, root_b) = _moments(a), _moments(b)
    overlap = torch.linalg.svdvals(root_a @ root_b.T).sum()
    distance = (
        (mean_a - mean_b).square().sum()
        + root_a.square().sum()
        + root_b.square().sum()
        - 2 * overlap
    )
    return max(0.0, float(distance))


def frechet_error(a: Tensor, b: Tensor) -> float | None:
    """Return the standard error of `frechet_distance` over the features of both sets.

    The jackknife leaves out one of 20 groups of each set at a time (Efron & Tibshirani 1993,
    chapter 11). Groups, not single features: the distance is no smooth function of one of them. It
    is blind to the bias, which all 20 distances share. Features of the same number in both sets,
    those of a picture and of its reconstruction, are left out together.

    Args:
        a: (N, d) features.
        b: (M, d) features.

    Returns:
        None where a set has fewer than 40 features.
    """
    if min(len(a), len(b)) < 2 * GROUPS:
        return None
    groups = [torch.arange(len(own)) % GROUPS for own in (a, b)]
    distances = torch.tensor(
        [
            frechet_distance(a[groups[0] != number], b[groups[1] != number])
            for number in range(GROUPS)
        ],
        dtype=torch.float64,
    )
    return float(((GROUPS - 1) * distances.var(unbiased=False)).sqrt())


def as_features(name: str, features: Any) -> Tensor:
    """Return (N, d) features in float64.

    Raises:
        ValueError: they do not have that shape or are not finite.
    """
    try:
        return as_latents(features).double()
    except ValueError as error:
        raise ValueError(str(error).replace("latents:", f"{name}:")) from None


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (d,) mean, and R of at most d rows with RᵀR the covariance."""
    features = features.double()
    mean = features.mean(0)
    return mean, torch.linalg.qr((features - mean) / (len(features) - 1) ** 0.5, mode="r").R

"""The directions of a latent that a slider follows, and the maps of codes in a plane."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.evaluation.codes import Codes

# Sliders, at most
MOST_AXES = 12

# Codes below which t-SNE says nothing
FEWEST_OF_TSNE = 50


class Axis(NamedTuple):
    """A direction of the latent.

    Attributes:
        label: its name.
        direction: (d,) of length 1; the directions of a model are orthogonal.
        centre: mean over the pictures of the codes along it.
        spread: standard deviation of the codes along it, in the latent's units; above 0.
    """

    label: str
    direction: Tensor
    centre: float
    spread: float


class Principal(NamedTuple):
    """The principal directions of codes.

    Attributes:
        directions: (K, d) of length 1, by falling variance.
        variances: (K,) variances of the codes along them.
        shares: (K,) of the codes' whole variance.
    """

    directions: Tensor
    variances: Tensor
    shares: Tensor


def principal(codes: Tensor, count: int) -> Principal:
    """Return the first principal directions of (N, d) codes.

    They are as many as codes have a variance in, at most `count`.
    """
    centred = codes.double() - codes.double().mean(0)
    wide = centred.shape[1] > len(centred)
    # Of N codes of more than N numbers the products of the codes are the smaller table.
    values, vectors = torch.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    values, vectors = values.flip(0).clamp_min(0), vectors.flip(1)
    kept = int((values > 1e-9 * values.sum()).sum())
    values, vectors = values[: min(count, kept)], vectors[:, : min(count, kept)]
    directions = (centred.T @ vectors if wide else vectors).T
    directions = directions / directions.norm(dim=1, keepdim=True)
    # The sign of an eigenvector is chance: its largest number is positive.
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    whole = centred.square().sum().clamp_min(1e-300)
    return Principal(directions * largest.sign(), values / len(centred), values / whole)


def axes_of(codes: Codes) -> list[Axis]:
    """Return the directions in which codes differ most between pictures, the first one most.

    They are the active dimensions, by their variance in units of the prior's; where none is active,
    the first two. Of discrete codes they are principal directions: one number of a code's vector
    alone mostly stands for the same code.
    """
    if codes.usage and codes.active.any():
        return principal_axes(codes.means)
    order = codes.activity.argsort(descending=True, stable=True)
    active = [int(place) for place in order if codes.active[place]][:MOST_AXES]
    variances = codes.means.double().var(0, unbiased=False) if active else codes.prior_variance
    centres, labels = codes.means.double().mean(0), labels_of(codes.level_dims)
    spreads = [math.sqrt(float(variance)) or 1.0 for variance in variances]
    return [
        Axis(labels[place], unit(codes.means[0], place), float(centres[place]), spreads[place])
        for place in active or order[:2].tolist()
    ]


def unit(code: Tensor, place: int) -> Tensor:
    """Return a (d,) unit vector in the precision of a code."""
    vector = torch.zeros_like(code)
    vector[place] = 1
    return vector


def principal_axes(codes: Tensor) -> list[Axis]:
    """Return the principal directions of (N, d) codes as axes."""
    found = principal(codes, MOST_AXES)
    centre = codes.double().mean(0)
    return [
        Axis(
            f"direction {number}, {100 * float(share):.0f} % of the variance",
            direction.to(codes.dtype),
            float(centre @ direction),
            math.sqrt(float(variance)),
        )
        for number, (direction, variance, share) in enumerate(zip(*found, strict=True), 1)
    ]


def labels_of(level_dims: tuple[int, ...]) -> list[str]:
    """Return the names of all latent dimensions, such as z3, or level 2 · z3 of several levels."""
    several = len(level_dims) > 1
    return [
        f"level {level} · z{place + 1}" if several else f"z{place + 1}"
        for level, size in enumerate(level_dims, 1)
        for place in range(size)
    ]


def pca_map(codes: Tensor) -> Tensor:
    """Return the (N, 2) first two principal components of (N, d) codes; 0 where there are none."""
    directions = principal(codes, 2).directions
    found = (codes.double() - codes.double().mean(0)) @ directions.T
    return torch.nn.functional.pad(found, (0, 2 - len(directions))).float()


def tsne_map(codes: Tensor, seed: int = 0) -> Tensor:
    """Return the (N, 2) t-SNE of (N, d) codes by scikit-learn.

    van der Maaten & Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html.

    Args:
        codes: at least `FEWEST_OF_TSNE` codes.
        seed: seed of its descent.
    """
    from sklearn.manifold import TSNE

    # Of many dimensions t-SNE's authors take the first 50 principal components.
    found = codes.double()
    if codes.shape[1] > 50:
        found = (found - found.mean(0)) @ principal(codes, 50).directions.T
    embedding = TSNE(random_state=seed, init="pca", n_jobs=1).fit_transform(found.float().numpy())
    return torch.from_numpy(embedding).float()

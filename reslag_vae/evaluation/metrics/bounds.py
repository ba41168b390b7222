"""How likely a model holds images to be: the importance-weighted bound on their log-likelihood."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reslag_vae.data import Images
from reslag_vae.evaluation.adapters import (
    LatentModel,
    check_seed,
    chunk_size,
    chunks,
    device_of,
    evaluating,
    wanted,
)
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.latents.gaussian import DiagonalGaussian, normal_rows
from reslag_vae.models.inputs import check_count
from reslag_vae.objectives.sigma import gaussian_nll

# Latents held at a time: those of one image, or of as many images as this allows.
LATENTS = 2**15

# Every image is decoded so often.
MOST_IMPORTANCE_SAMPLES = 100_000


class Bounds(NamedTuple):
    """Of each image, in float64 on the CPU.

    Attributes:
        importance_weighted: (N,) lower bound on log p(x), nats.
        dequantised: (N,) the same at a point drawn evenly from the image's cell of width 1/255
            (`bits_per_dim`).
        elbo: (N,) evidence lower bound, nats: the mean over the same samples.
    """

    importance_weighted: Tensor
    dequantised: Tensor
    elbo: Tensor


def importance_weighted_bound(
    model: LatentModel,
    images: Tensor | Images,
    samples: int = 512,
    sigma2: Tensor | float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Bounds:
    """log p(x) >= E[log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)] with a Gaussian likelihood, the 2·pi term included.

    Burda et al. 2016, https://arxiv.org/abs/1509.00519, Eq. 8; it tightens as K grows. The result
    does not depend on the size of the chunks; their memory is that of 32,768 latents or, if there
    are more, those of one image.

    Args:
        model: with a posterior that has a density.
        images: (N, C, H, W) uint8, or floating point in [0, 1].
        samples: K.
        sigma2: the likelihood variance, broadcastable to (1, C, H, W); None is the model's own.
        seed: of the noise.
        progress: shows how many images are done.

    Raises:
        ValueError: no sample, a posterior without a density, or no variance of the model's own.
    """
    check_count("samples", samples, MOST_IMPORTANCE_SAMPLES)
    check_seed(seed)
    images, device = wanted(images, model), device_of(model)
    variance = own_variance(model) if sigma2 is None else given_variance(sigma2)
    variance = variance.view((1,) * (4 - variance.dim()) + variance.shape)
    noise, shift = (torch.Generator().manual_seed(seed + i) for i in range(2))
    parts = []
    with evaluating(model), progress("importance-weighted bound", len(images)) as advance:
        for part in chunks(images, device, LATENTS // samples):
            parts.append(_bounds(model, part, variance.to(part), samples, noise, shift))
            advance(len(part))
    return Bounds(*torch.unbind(torch.cat(parts, dim=1)))


def given_variance(sigma2: Any) -> Tensor:
    """A likelihood variance in float64.

    Raises:
        ValueError: it is no positive number, or holds one that is none.
    """
    try:
        variance = torch.as_tensor(sigma2, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        variance = torch.tensor(math.nan)
    if (
        not variance.numel()
        or variance.dim() > 4
        or not ((variance > 0) & variance.isfinite()).all()
    ):
        raise ValueError(f"sigma2={sigma2}: the likelihood variance must be positive and finite.")
    return variance


def own_variance(model: LatentModel) -> Tensor:
    """The likelihood variance that the model's objective implies, broadcastable to (1, C, H, W).

    Raises:
        ValueError: it implies none.
    """
    own: Callable[[], Tensor | None] | None = getattr(model, "likelihood_variance", None)
    variance = own() if own else None
    if variance is None:
        raise ValueError("The model has no likelihood variance of its own: give sigma2.")
    return variance


def _bounds(
    model: LatentModel,
    images: Tensor,
    variance: Tensor,
    samples: int,
    noise: torch.Generator,
    shift: torch.Generator,
) -> Tensor:
    """(3, B) bounds of B images."""
    posterior = model.posterior(images)
    if not isinstance(posterior, DiagonalGaussian):
        raise ValueError(
            "The importance-weighted bound needs a posterior with a density: means and log-variances."
        )
    count, dimension = posterior.mean.shape
    drawn = normal_rows(count * samples, dimension, noise).view(count, samples, dimension)
    spread = DiagonalGaussian(posterior.mean[:, None], posterior.log_variance[:, None])
    latents = spread.sample(drawn.to(images))
    ratio = _prior_log_prob(latents) - spread.log_prob(latents)
    moved = images + (torch.rand(images.shape, generator=shift).to(images) - 0.5) / 255
    likelihood = _log_likelihoods(model, torch.stack([images, moved]), latents, variance)
    weights, moved_weights = likelihood.double() + ratio.double()
    return torch.stack([log_mean_exp(weights), log_mean_exp(moved_weights), weights.mean(1)]).cpu()


def _prior_log_prob(latents: Tensor) -> Tensor:
    return -0.5 * (latents.square() + math.log(2 * math.pi)).sum(-1)


def _log_likelihoods(
    model: LatentModel, targets: Tensor, latents: Tensor, variance: Tensor
) -> Tensor:
    """(2, B, K) log p(target|z) of (2, B, C, H, W) targets under (B, K, d) latents, each decoded once."""
    count, samples, _ = latents.shape
    owners = torch.arange(count, device=latents.device).repeat_interleave(samples)
    parts, size = [], chunk_size(targets[0, 0].numel())
    for z, owner in zip(
        torch.split(latents.flatten(0, 1), size), torch.split(owners, size), strict=True
    ):
        means = model.decode(z)
        if means.shape[1:] != targets.shape[2:]:
            shapes = f"{tuple(means.shape[1:])} for images of {tuple(targets.shape[2:])}"
            raise ValueError(f"The decoder gives images of {shapes}.")
        parts.append(torch.stack([_log_prob(target[owner], means, variance) for target in targets]))
    return torch.cat(parts, dim=1).view(len(targets), count, samples)


def _log_prob(images: Tensor, means: Tensor, variance: Tensor) -> Tensor:
    squares = (images - means).square()
    constant = images[0].numel() * math.log(2 * math.pi) / 2
    return -gaussian_nll(squares, squares.flatten(1).sum(1), variance) - constant


def log_mean_exp(log_weights: Tensor) -> Tensor:
    """(B,) logarithm of the mean over the last axis of exp of (B, K)."""
    return log_weights.logsumexp(-1) - math.log(log_weights.shape[-1])


def dequantised_bits_per_dim(bound: Tensor, dimensions: int) -> Tensor:
    """(N,) bits per pixel and channel that coding 8-bit images takes at most, from `Bounds.dequantised`.

    -bound / (D ln 2) + log2(255): with u even in the cell of width 1/255 around x, Jensen gives log
    P(x) >= E[log p(x + u)] - D ln 255 (Theis et al. 2016, https://arxiv.org/abs/1511.01844, section
    3.1).
    """
    return -bound / (dimensions * math.log(2)) + math.log2(255)

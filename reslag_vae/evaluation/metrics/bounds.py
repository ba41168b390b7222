"""The importance-weighted bound on the log-likelihood that a model gives images."""

import math
from typing import Any, NamedTuple, TypeGuard

import torch
from torch import Tensor

from reslag_vae.data.images import Images
from reslag_vae.evaluation.adapters import LatentModel
from reslag_vae.evaluation.iteration import (
    CHUNK,
    check_seed,
    checked_images,
    chunk_size,
    device_of,
    evaluating,
    given_chunks,
    latent_dim_of,
    noise_of_levels,
    of_rows,
)
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.latents.noise import normal_rows
from reslag_vae.likelihoods import FixedVariance, Gaussian, Likelihood
from reslag_vae.models import GenerativeModel
from reslag_vae.models.number_inputs import check_count

# Latents held at a time: those of one image, or of as many images as this allows.
LATENTS = 2**15

# The number of times that every image is decoded, at most.
MOST_IMPORTANCE_SAMPLES = 100_000


class Bounds(NamedTuple):
    """Bounds on the log-likelihood of N images in nats, in float64 on the CPU.

    Attributes:
        importance_weighted: (N,) importance-weighted lower bounds on log p(x).
        dequantised: (N,) the same bounds at a point drawn evenly from each image's cell of width
            1/255; under a mass, which needs no such point, they equal `importance_weighted`.
        elbo: (N,) evidence lower bounds, means over the same samples.
    """

    importance_weighted: Tensor
    dequantised: Tensor
    elbo: Tensor


def importance_weighted_bound(
    model: LatentModel,
    images: Tensor | Images,
    samples: int = 512,
    likelihood: Likelihood | Tensor | float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Bounds:
    """Return log p(x) >= E[log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)] of each image.

    Burda et al. 2016, https://arxiv.org/abs/1509.00519, Eq. 8. The bound tightens as K grows. Every
    constant of the likelihood is included. The result does not depend on the size of the chunks;
    their memory is that of 32,768 latents or, if there are more, those of one image. Of a hierarchy
    it is that of 512 samples, which go through its networks together, or of one image's.

    Args:
        model: any model whose posterior has a density.
        images: (N, C, H, W) uint8, or floating point in [0, 1].
        samples: K, the number of samples of each posterior.
        likelihood: p(x|z), or the variance of a Gaussian one, broadcastable to (1, C, H, W); None
            is the model's own.
        seed: seed of the noise.
        progress: shows how many images are done.

    Raises:
        ValueError: there is no sample, the posterior has no density, the model has no likelihood of
            its own, or the images are greys and its likelihood takes black and white alone.
    """
    samples = check_count("samples", samples, MOST_IMPORTANCE_SAMPLES)
    seed = check_seed(seed)
    images, device = checked_images(images, model), device_of(model)
    own = likelihood_of(model, likelihood)
    noise = torch.Generator().manual_seed(seed)
    shift = torch.Generator().manual_seed(seed + 1)
    parts = []
    with evaluating(model), progress("importance-weighted bound", len(images)) as advance:
        rows = CHUNK if is_top_down(model) else LATENTS
        for given, part in given_chunks(model, images, rows // samples):
            parts.append(_bounds(given, part, own.to(device), samples, noise, shift))
            advance(len(part))
    return Bounds(*torch.unbind(torch.cat(parts, dim=1)))


def likelihood_of(model: LatentModel, likelihood: Likelihood | Tensor | float | None) -> Likelihood:
    """Return a likelihood in evaluation mode: a given one, that of a variance, or the model's own.

    Args:
        model: any model.
        likelihood: p(x|z), or the variance of a Gaussian one, broadcastable to (1, C, H, W); None
            is the model's own.

    Raises:
        ValueError: the variance is not valid, the model implies no likelihood, or its decoder does
            not give the parameters of the given one.
    """
    own: Likelihood | None = getattr(model, "likelihood", None)
    if likelihood is None:
        stated = own.evaluated(None) if own is not None else None
        if stated is None:
            raise ValueError("The model has no likelihood variance of its own: give likelihood.")
        return stated.eval()
    if not isinstance(likelihood, Likelihood):
        likelihood = Gaussian(FixedVariance(given_variance(likelihood)))
    if likelihood.discrete != (own is not None and own.discrete):
        given = "means" if own is None else f"the parameters of likelihood={own.name}"
        raise ValueError(f"likelihood={likelihood.name}: the decoder gives {given}.")
    return likelihood.eval()


def given_variance(sigma2: Any) -> Tensor:
    """Return a likelihood variance in float64.

    Raises:
        ValueError: it is not a positive finite number, or a tensor of those.
    """
    try:
        variance = torch.as_tensor(sigma2, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        variance = torch.tensor(math.nan)
    positive = bool(((variance > 0) & variance.isfinite()).all())
    if not variance.numel() or variance.dim() > 4 or not positive:
        raise ValueError(f"sigma2={sigma2}: the likelihood variance must be positive and finite.")
    return variance


def _bounds(
    model: LatentModel,
    images: Tensor,
    likelihood: Likelihood,
    samples: int,
    noise: torch.Generator,
    shift: torch.Generator,
) -> Tensor:
    """Return the (3, B) bounds of B images."""
    count = len(images)
    rows = normal_rows(count * samples, latent_dim_of(model, images), noise).to(images)
    levels = noise_of_levels(model, rows)
    if is_top_down(model):
        inferred, parameters = model.infer_and_decode(images, levels)
    else:
        inferred, parameters = model.infer(images, levels), None
    if not inferred.has_density:
        raise ValueError(
            "The importance-weighted bound needs a posterior with a density: means and "
            "log-variances."
        )
    targets = [images]
    if not likelihood.discrete:
        uniform = torch.rand(images.shape, generator=shift).to(images)
        targets.append(images + (uniform - 0.5) / 255)
    values = _log_likelihoods(
        model, torch.stack(targets), inferred.code, parameters, likelihood, samples
    )
    ratio = inferred.log_ratio().view(count, samples)
    weights = values.double() + ratio.double()
    bounds = [log_mean_exp(weights[0]), log_mean_exp(weights[-1]), weights[0].mean(1)]
    return torch.stack(bounds).cpu()


def is_top_down(model: LatentModel) -> TypeGuard[GenerativeModel]:
    """Return whether a model infers latents by the pass downwards that also decodes them."""
    return isinstance(model, GenerativeModel) and model.top_down


def _log_likelihoods(
    model: LatentModel,
    targets: Tensor,
    latents: Tensor,
    given: Tensor | None,
    likelihood: Likelihood,
    samples: int,
) -> Tensor:
    """Return (T, B, K) log p(target|z) of T versions of B images, in nats.

    Args:
        model: any model.
        targets: (T, B, C, H, W) images.
        latents: (B · K, d) latents, K of each image next to each other.
        given: the likelihood's (B · K, P, H, W) parameters for them; None decodes each once.
        likelihood: p(x|z).
        samples: K, the number of latents of each image.
    """
    count = targets.shape[1]
    owners = torch.arange(count, device=latents.device).repeat_interleave(samples)
    size = chunk_size(targets[0, 0].numel(), targets.device)
    parts = []
    for first in range(0, len(latents), size):
        rows = slice(first, first + size)
        owner = owners[rows]
        if given is None:
            parameters = of_rows(model, owner).parameters_at(latents[rows])
        else:
            parameters = given[rows]
        mean, expected = likelihood.mean(parameters), targets.shape[2:]
        decoded = expected if mean is None else mean.shape[1:]
        if decoded != expected:
            shapes = f"{tuple(decoded)} for images of {tuple(expected)}"
            raise ValueError(f"The decoder gives images of {shapes}.")
        values = [likelihood.log_prob(target[owner], parameters) for target in targets]
        parts.append(torch.stack(values))
    return torch.cat(parts, dim=1).view(len(targets), count, samples)


def log_mean_exp(log_weights: Tensor) -> Tensor:
    """Return the (B,) logarithms of the means of exp of (B, K) log-weights over K."""
    return log_weights.logsumexp(-1) - math.log(log_weights.shape[-1])


def dequantised_bits_per_dim(bound: Tensor, dimensions: int) -> Tensor:
    """Return the (N,) bits per pixel and channel that coding 8-bit images takes at most.

    They are -bound / (D ln 2) + log2(255): with u even in the cell of width 1/255 around x,
    Jensen's inequality gives log P(x) >= E[log p(x + u)] - D ln 255 (Theis et al. 2016,
    https://arxiv.org/abs/1511.01844, section 3.1).

    Args:
        bound: (N,) bounds in nats, those of `Bounds.dequantised`.
        dimensions: D, the number of numbers in an image.
    """
    return -bound / (dimensions * math.log(2)) + math.log2(255)

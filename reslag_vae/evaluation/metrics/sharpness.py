"""How much detail images have beside the originals, and whether it is the originals' own.

Detail is power in the upper half of spatial frequencies: see `spectra.upper_half`.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.data import Images
from reslag_vae.evaluation.adapters import LatentModel
from reslag_vae.evaluation.iteration import (
    checked_images,
    evaluating,
    given_chunks,
    posterior_means,
)
from reslag_vae.evaluation.metrics.spectra import (
    Spectra,
    joined_spectra,
    shared_power,
    spectra_of,
    transform,
)
from reslag_vae.evaluation.numbers import standard_error
from reslag_vae.evaluation.progress import Progress, silent

# Powers below are those of rounding, about (1e-16)².
ROUNDING = 1e-24

# Names of each image's upper powers in evaluation.npz.
ORIGINALS, RECONSTRUCTIONS = "upper_power_originals", "upper_power_reconstructions"
SHARED, SAMPLES = "upper_power_shared", "upper_power_samples"
UPPER_POWERS = (ORIGINALS, RECONSTRUCTIONS, SHARED, SAMPLES)


class Estimate(NamedTuple):
    """An estimate from a sample of images.

    Attributes:
        value: the estimate.
        error: its standard error over images, by the delta method; None of a single image.
    """

    value: float
    error: float | None


class ReconstructionSpectra(NamedTuple):
    """The powers of N images and of their reconstructions, in float64 on the CPU.

    Attributes:
        originals: powers of the images.
        reconstructions: powers of their reconstructions.
        shared: (N,) real parts of their cross-spectra, means over the upper half of frequencies.
    """

    originals: Spectra
    reconstructions: Spectra
    shared: Tensor


def reconstruction_spectra(
    model: LatentModel, images: Tensor | Images, progress: Progress = silent
) -> ReconstructionSpectra:
    """Return the powers of images and of their reconstructions from the posterior means.

    Args:
        model: any model.
        images: (N, C, H, W) uint8, or floating point in [0, 1].
        progress: shows how many images are done.

    Raises:
        ValueError: the model does not take such images.
    """
    images = checked_images(images, model)
    originals, reconstructions, shared = [], [], []
    generator = torch.Generator().manual_seed(0)
    with evaluating(model), progress("spectra of the reconstructions", len(images)) as advance:
        for own, part in given_chunks(model, images):
            decoded = own.decode(posterior_means(own, part), generator)
            original, reconstruction = transform(part), transform(decoded)
            originals.append(spectra_of(original))
            reconstructions.append(spectra_of(reconstruction))
            shared.append(shared_power(original, reconstruction))
            advance(len(part))
    return ReconstructionSpectra(
        joined_spectra(originals), joined_spectra(reconstructions), torch.cat(shared)
    )


def reconstruction_sharpness(compared: ReconstructionSpectra) -> Estimate | None:
    """Return the share of the originals' upper power that reconstructions have.

    It is the ratio of the two mean powers: 0 without detail, 1 with as much as the originals, and
    above 1 with more, which is noise. Of a linear blur it is the square of its transfer function,
    averaged by the originals' powers. None if the originals have no such power.
    """
    return estimate(share_of_images(compared.originals.upper, compared.reconstructions.upper))


def coherence(compared: ReconstructionSpectra) -> Estimate | None:
    """Return the correlation of the reconstructions' upper frequencies with the originals'.

    It is the Fourier ring correlation (Saxton & Baumeister 1982, The correlation averaging of a
    regularly arranged bacterial cell envelope protein) with the upper half as one ring, of all
    images together: the real part of the cross-spectrum over the root of the product of both
    powers. It is 1 where the detail is the originals' up to contrast, 0 where it has nothing to do
    with them, as of noise or of texture at other places, and never above 1. None if the originals
    or the reconstructions have no such power.
    """
    powers = compared.originals.upper, compared.reconstructions.upper
    return estimate(coherence_of_images(*powers, compared.shared))


def sample_sharpness(samples: Spectra, originals: Spectra) -> Estimate | None:
    """Return the ratio of the mean upper power of samples to that of originals.

    The two are independent: both their variances enter the error. None if the originals have no
    such power.
    """
    original, own = originals.upper, samples.upper
    if not has_power(original):
        return None
    value = own.mean() / original.mean()
    of_samples = standard_error(own / original.mean())
    of_originals = standard_error(value * original / original.mean())
    if of_samples is None or of_originals is None:
        return Estimate(float(value), None)
    return Estimate(float(value), math.hypot(of_samples, of_originals))


def values_of_images(powers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return values of images, whose mean is a number of evaluation.json, by its name.

    To first order a ratio of means is a mean, of the ratio with each image's influence on it. The
    values have the spread of the ratio (the delta method), and those of two models differ image by
    image.

    Args:
        powers: (N,) upper powers of images by their names in evaluation.npz.
    """
    powers = {name: own.double() for name, own in powers.items()}
    found: dict[str, Tensor | None] = {}
    if powers.keys() >= {ORIGINALS, RECONSTRUCTIONS, SHARED}:
        original, own = powers[ORIGINALS], powers[RECONSTRUCTIONS]
        found["sharpness_reconstructions"] = share_of_images(original, own)
        found["coherence_reconstructions"] = coherence_of_images(original, own, powers[SHARED])
    if powers.keys() >= {ORIGINALS, SAMPLES}:
        found["sharpness_samples"] = share_of_images(powers[ORIGINALS], powers[SAMPLES])
    return {name: own for name, own in found.items() if own is not None}


def share_of_images(original: Tensor, own: Tensor) -> Tensor | None:
    """Return (N,) values whose mean is the ratio of the mean powers; None without any.

    See `values_of_images`.
    """
    if not has_power(original):
        return None
    value = own.mean() / original.mean()
    return value + (own - value * original) / original.mean()


def coherence_of_images(original: Tensor, own: Tensor, shared: Tensor) -> Tensor | None:
    """Return (N,) values whose mean is the coherence; None without power.

    See `values_of_images`.
    """
    if not (has_power(original) and has_power(own)):
        return None
    scale = (original.mean() * own.mean()).sqrt()
    value = shared.mean() / scale
    powers = original / original.mean() + own / own.mean()
    return value + shared / scale - value * powers / 2


def estimate(values: Tensor | None) -> Estimate | None:
    """Return the mean of (N,) values, with its standard error; None of none."""
    return None if values is None else Estimate(float(values.mean()), standard_error(values))


def has_power(powers: Tensor) -> bool:
    """Return whether the mean of (N,) powers is more than rounding."""
    return float(powers.mean()) > ROUNDING

"""How much detail images have beside the originals, and whether it is the originals' own.

Detail is power in the upper half of spatial frequencies: see `spectra.upper_half`.
"""

import math
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
from reslag_vae.evaluation.progress import Progress, silent

# Powers below are those of rounding, about (1e-16)².
ROUNDING = 1e-24


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
    original, own = compared.originals.upper, compared.reconstructions.upper
    if not has_power(original):
        return None
    value = own.mean() / original.mean()
    influences = (own - value * original) / original.mean()
    return Estimate(float(value), standard_error(influences))


def coherence(compared: ReconstructionSpectra) -> Estimate | None:
    """Return the correlation of the reconstructions' upper frequencies with the originals'.

    It is the Fourier ring correlation (Saxton & Baumeister 1982, The correlation averaging of a
    regularly arranged bacterial cell envelope protein) with the upper half as one ring, of all
    images together: the real part of the cross-spectrum over the root of the product of both
    powers. It is 1 where the detail is the originals' up to contrast, 0 where it has nothing to do
    with them, as of noise or of texture at other places, and never above 1. None if the originals
    or the reconstructions have no such power.
    """
    original, own = compared.originals.upper, compared.reconstructions.upper
    if not (has_power(original) and has_power(own)):
        return None
    scale = (original.mean() * own.mean()).sqrt()
    value = compared.shared.mean() / scale
    powers = original / original.mean() + own / own.mean()
    influences = compared.shared / scale - value * powers / 2
    return Estimate(float(value), standard_error(influences))


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


def has_power(powers: Tensor) -> bool:
    """Return whether the mean of (N,) powers is more than rounding."""
    return float(powers.mean()) > ROUNDING


def standard_error(influences: Tensor) -> float | None:
    """Return the standard error of the mean of (N,) values; None of a single one."""
    count = len(influences)
    return float(influences.std() / math.sqrt(count)) if count > 1 else None

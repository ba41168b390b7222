"""Quality of reconstructions, image by image."""

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
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.likelihoods.variance import SIGMA2_FLOOR

# Pixels on each side of the middle of SSIM's window, which is 11 pixels wide.
MARGIN = 5
# MS-SSIM halves the image four times, and torchmetrics needs more than the window even then.
MS_SSIM_SIDE = 16 * (2 * MARGIN + 1)
# Numbers in the images that SSIM takes at a time: its filter holds ten times as many.
NUMBERS = 2**21


class Quality(NamedTuple):
    """Qualities of the reconstruction of each image, in float64 on the CPU.

    Attributes:
        mse: (N,) mean squared error over the C·H·W numbers in [0, 1].
        psnr: (N,) peak signal-to-noise ratio, -10 log10(mse), in decibels.
        ssim: (N,) structural similarity, at most 1; None if a side of the images is below 11.
        ms_ssim: (N,) multi-scale structural similarity, in [0, 1]; None if a side of the images is
            below 176.
    """

    mse: Tensor
    psnr: Tensor
    ssim: Tensor | None
    ms_ssim: Tensor | None


def reconstruction_quality(
    model: LatentModel, images: Tensor | Images, progress: Progress = silent
) -> Quality:
    """Return the quality of the reconstructions from the posterior means.

    See `compare` for the measures.

    Args:
        model: any model.
        images: (N, C, H, W) uint8, or floating point in [0, 1].
        progress: shows how many images are done.

    Raises:
        ValueError: the model does not take such images.
    """
    images = checked_images(images, model)
    parts, generator = [], torch.Generator().manual_seed(0)
    with evaluating(model), progress("quality of the reconstructions", len(images)) as advance:
        for own, part in given_chunks(model, images):
            parts.append(compare(own.decode(posterior_means(own, part), generator), part))
            advance(len(part))
    return _joined(parts)


def compare(reconstructions: Tensor, images: Tensor) -> Quality:
    """Return the quality of reconstructions beside their images.

    Both are (N, C, H, W) floating point, the images in [0, 1].

    The PSNR is that of each image; its mean over images is not the PSNR of their mean squared
    error. An error below that of rounding to 8 bits, 1 / (12 · 255²), counts as that one: no PSNR
    exceeds 58.9 dB.

    SSIM is torchmetrics' with the Gaussian window of Wang et al. 2004,
    https://www.cns.nyu.edu/pub/eero/wang03-reprint.pdf, Eq. 13 and section III-C: 11 pixels wide,
    standard deviation 1.5, averaged over the places where the whole window lies within the image,
    and over the channels. It therefore needs images of 11 pixels. It is computed in the precision
    of the images: in float32, rounding moves the SSIM of uniform images by up to 0.003, and that of
    others by about 1e-6. MS-SSIM is torchmetrics' (Wang et al. 2003,
    https://www.cns.nyu.edu/pub/eero/wang03b.pdf, Eq. 7), with negative factors counted as 0.
    """
    size = max(1, NUMBERS // images[0].numel())
    pairs = zip(torch.split(reconstructions, size), torch.split(images, size), strict=True)
    return _joined([_compare(reconstruction, image) for reconstruction, image in pairs])


def _compare(reconstructions: Tensor, images: Tensor) -> Quality:
    mse = (reconstructions.double() - images.double()).square().flatten(1).mean(1)
    side = min(images.shape[-2:])
    ssim = _ssim(reconstructions, images) if side > 2 * MARGIN else None
    ms_ssim = _ms_ssim(reconstructions, images) if side >= MS_SSIM_SIDE else None
    return Quality(mse.cpu(), -10 * mse.clamp_min(SIGMA2_FLOOR).log10().cpu(), ssim, ms_ssim)


def _ssim(reconstructions: Tensor, images: Tensor) -> Tensor:
    from torchmetrics.functional.image import structural_similarity_index_measure as similarity

    # The mean of the map, because versions of torchmetrics differ in whether theirs includes
    # the reflected border.
    _, places = similarity(
        reconstructions, images, data_range=1.0, reduction="none", return_full_image=True
    )
    whole = places[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    return whole.flatten(1).double().mean(1).clamp_max(1).cpu()


def _ms_ssim(reconstructions: Tensor, images: Tensor) -> Tensor:
    from torchmetrics.functional.image import (
        multiscale_structural_similarity_index_measure as similarity,
    )

    values = similarity(reconstructions, images, data_range=1.0, reduction="none")
    return values.double().clamp_max(1).cpu()


def _joined(parts: list[Quality]) -> Quality:
    return Quality(
        mse=torch.cat([part.mse for part in parts]),
        psnr=torch.cat([part.psnr for part in parts]),
        ssim=_maybe_joined([part.ssim for part in parts]),
        ms_ssim=_maybe_joined([part.ms_ssim for part in parts]),
    )


def _maybe_joined(parts: list[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None

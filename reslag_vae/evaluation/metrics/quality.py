"""How close reconstructions come to the images, image by image."""

from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.data import Images
from reslag_vae.evaluation.adapters import (
    LatentModel,
    chunks,
    device_of,
    evaluating,
    posterior_means,
    wanted,
)
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.likelihoods.variance import SIGMA2_FLOOR

# Of the window of SSIM, 11 pixels wide.
MARGIN = 5
# MS-SSIM halves the image four times, and torchmetrics wants more than its window then, too.
MS_SSIM_SIDE = 16 * (2 * MARGIN + 1)
# Numbers of the images that SSIM takes at a time: its filter holds ten times as many.
NUMBERS = 2**21


class Quality(NamedTuple):
    """Of each image, in float64 on the CPU.

    Attributes:
        mse: (N,) mean squared error over the C·H·W numbers in [0, 1].
        psnr: (N,) peak signal-to-noise ratio, -10 log10(mse), in decibels.
        ssim: (N,) structural similarity, at most 1; None if a side of the images is less than 11.
        ms_ssim: (N,) multi-scale structural similarity, in [0, 1]; None if a side of the images is
            less than 176.
    """

    mse: Tensor
    psnr: Tensor
    ssim: Tensor | None
    ms_ssim: Tensor | None


def reconstruction_quality(
    model: LatentModel, images: Tensor | Images, progress: Progress = silent
) -> Quality:
    """Of the reconstructions from the posterior means; see `compare`.

    Args:
        model: any.
        images: (N, C, H, W) uint8, or floating point in [0, 1].
        progress: shows how many images are done.

    Raises:
        ValueError: they are no images of the model's.
    """
    images = wanted(images, model)
    parts = []
    with evaluating(model), progress("quality of the reconstructions", len(images)) as advance:
        for part in chunks(images, device_of(model)):
            parts.append(compare(model.decode(posterior_means(model, part)), part))
            advance(len(part))
    return _joined(parts)


def compare(reconstructions: Tensor, images: Tensor) -> Quality:
    """Reconstructions beside their images, both (N, C, H, W) floating point, the images in [0, 1].

    The PSNR is that of each image, and its mean over images is not that of their mean squared
    error. An error below that of rounding to 8 bits, 1 / (12 · 255²), counts as that one: no PSNR
    exceeds 58.9 dB.

    SSIM is torchmetrics' with the Gaussian window of Wang et al. 2004,
    https://www.cns.nyu.edu/pub/eero/wang03-reprint.pdf, Eq. 13 and section III-C: 11 pixels wide,
    standard deviation 1.5, averaged over the places where the whole window lies within the image,
    and over the channels. So it takes images of 11 pixels. It is computed in the precision of the
    images: in float32 rounding moves that of images that are flat all over by up to 0.003, and that
    of others by about 1e-6. MS-SSIM is torchmetrics' (Wang et al. 2003,
    https://www.cns.nyu.edu/pub/eero/wang03b.pdf, Eq. 7), negative factors counting as 0.
    """
    size = max(1, NUMBERS // images[0].numel())
    return _joined(
        [
            _compare(a, b)
            for a, b in zip(
                torch.split(reconstructions, size), torch.split(images, size), strict=True
            )
        ]
    )


def _compare(reconstructions: Tensor, images: Tensor) -> Quality:
    mse = (reconstructions.double() - images.double()).square().flatten(1).mean(1)
    side = min(images.shape[-2:])
    ssim = _ssim(reconstructions, images) if side > 2 * MARGIN else None
    ms_ssim = _ms_ssim(reconstructions, images) if side >= MS_SSIM_SIDE else None
    return Quality(mse.cpu(), -10 * mse.clamp_min(SIGMA2_FLOOR).log10().cpu(), ssim, ms_ssim)


def _ssim(reconstructions: Tensor, images: Tensor) -> Tensor:
    from torchmetrics.functional.image import structural_similarity_index_measure as similarity

    # Of the map, because versions of torchmetrics differ in whether their mean takes in the
    # reflected border.
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
    mse, psnr, ssim, ms_ssim = zip(*parts, strict=True)
    return Quality(torch.cat(mse), torch.cat(psnr), _maybe_joined(ssim), _maybe_joined(ms_ssim))


def _maybe_joined(parts: tuple[Tensor | None, ...]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None

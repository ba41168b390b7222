"""The quality of reconstructions, beside that of a linear code of the same length."""

import torch

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.iteration import chunks, device_of
from reslag_vae.evaluation.metrics.pca import fit_pca
from reslag_vae.evaluation.numbers import (
    NO_LATENTS,
    Number,
    Numbers,
    mean_over_images,
    missing,
)

NAMES = ("rec", "mse", "psnr", "ssim", "ms_ssim", "pca_rec", "pca_mse")
SQUARES = "sum of squared errors per image"


def reconstruction(subject: Subject) -> Numbers:
    """Return MSE, PSNR, SSIM and MS-SSIM of decoded posterior means, and the limit of PCA."""
    if not subject.model.latent_dim:
        return dict.fromkeys(NAMES, missing("1 at best", NO_LATENTS))
    quality = subject.quality
    protocol = f"{subject.split_protocol}, posterior means{subject.images_protocol}"
    numbers = {
        "rec": mean_over_images(quality.mse * subject.model.dimensions, SQUARES, protocol),
        "mse": mean_over_images(quality.mse, "mean squared error, posterior means", protocol),
        "psnr": mean_over_images(quality.psnr, "dB, mean over images", protocol),
    }
    for name, values in (("ssim", quality.ssim), ("ms_ssim", quality.ms_ssim)):
        small = missing("1 at best", "the images are too small for its window")
        numbers[name] = small if values is None else mean_over_images(values, "1 at best", protocol)
    return numbers | linear_limit(subject)


def linear_limit(subject: Subject) -> dict[str, Number]:
    """Return the errors of as many principal components of train as the model has dimensions."""
    components, train = subject.model.latent_dim, subject.data.split("train")
    why = ""
    if subject.codes.usage:
        why = "codes are no numbers, of which there would be as many components"
    elif components > subject.model.dimensions:
        numbers = subject.model.dimensions
        why = f"images of {numbers:,} numbers have fewer than {components} components"
    elif components > len(train):
        why = f"{len(train):,} training images have fewer than {components} components"
    if why:
        return dict.fromkeys(("pca_rec", "pca_mse"), missing(SQUARES, why))
    pca = fit_pca(
        train, components, subject.settings.seed, subject.progress, device_of(subject.model)
    )
    errors = []
    for part in chunks(subject.images, pca.mean.device):
        errors.append((pca.decode(pca.encode(part)) - part).square().flatten(1).sum(1))
    rec = torch.cat(errors)
    fitted = f"{components} principal components of train, {len(train):,} images"
    protocol = f"{subject.split_words}; {fitted}"
    return {
        "pca_rec": mean_over_images(rec, SQUARES, protocol),
        "pca_mse": mean_over_images(rec / subject.model.dimensions, "mean squared error", protocol),
    }

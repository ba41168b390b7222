"""How near the images the decoded posterior means are, beside what a linear code of the same length reaches."""

import torch

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.iteration import chunks
from reslag_vae.evaluation.metrics.pca import fit_pca
from reslag_vae.evaluation.numbers import Number, Numbers, mean_over_images, missing

SQUARES = "sum of squared errors per image"


def reconstruction(subject: Subject) -> Numbers:
    """Of posterior means: MSE, PSNR, SSIM, MS-SSIM; and the limit of PCA."""
    quality = subject.quality
    protocol = f"{subject.split_protocol}, posterior means"
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
    """PCA with as many components as the model has latent dimensions, fitted on train."""
    components, train = subject.model.latent_dim, subject.data.split("train")
    if components > len(train):
        none = missing(
            SQUARES, f"{len(train):,} training images have fewer than {components} components"
        )
        return {"pca_rec": none, "pca_mse": none}
    pca = fit_pca(train, components, subject.settings.seed, subject.progress)
    parts = chunks(subject.images, pca.mean.device)
    rec = torch.cat(
        [(pca.decode(pca.encode(part)) - part).square().flatten(1).sum(1) for part in parts]
    )
    protocol = f"{subject.split_protocol}; {components} principal components of train, {len(train):,} images"
    return {
        "pca_rec": mean_over_images(rec, SQUARES, protocol),
        "pca_mse": mean_over_images(rec / subject.model.dimensions, "mean squared error", protocol),
    }

"""Principal components: the limit for any linear code of d numbers, and a measure for others."""

from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.data import Images
from reslag_vae.evaluation.iteration import check_seed, checked_images, chunks
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.models.number_inputs import MOST_SAMPLES, check_whole

# Passes over the data. The error falls as (s / s')^(2 passes - 2), where s is the variance of the
# component after the last direction that is followed, and s' that of the last one that is wanted.
PASSES = 6


class PCA(NamedTuple):
    """The best linear encoder and decoder: an orthogonal projection.

    Attributes:
        mean: (C, H, W) mean image.
        axes: (C·H·W, d) orthonormal axes, by falling variance.
    """

    mean: Tensor
    axes: Tensor

    def encode(self, images: Tensor) -> Tensor:
        """Return (B, d) codes of (B, C, H, W) images in [0, 1]."""
        return (images - self.mean).flatten(1) @ self.axes

    def decode(self, latents: Tensor) -> Tensor:
        """Return (B, C, H, W) images of (B, d) codes; they may leave [0, 1] a little."""
        return (latents @ self.axes.T).view(-1, *self.mean.shape) + self.mean


def fit_pca(
    images: Tensor | Images,
    components: int,
    seed: int = 0,
    progress: Progress = silent,
    device: torch.device | None = None,
) -> PCA:
    """Fit the first principal components, by subspace iteration.

    Halko et al. 2011, https://arxiv.org/abs/0909.4061, algorithm 4.4, followed by a Rayleigh-Ritz
    step. Each pass reads the images once, in chunks, and never holds them as a whole in floating
    point: the memory is that of about 6 d images.

    Args:
        images: (N, C, H, W) uint8, or floating point in [0, 1].
        components: d, the number of components.
        seed: seed of the first directions.
        progress: shows how many passes are done.
        device: device that computes; None is the CPU. The result is on the CPU.

    Raises:
        ValueError: the images do not have so many components.
    """
    images = checked_images(images)
    seed = check_seed(seed)
    mean = mean_image(images, progress).to(device)
    most = min(len(images), mean.numel())
    components = check_whole("components", components, 0, MOST_SAMPLES)
    if not 0 < components <= most:
        raise ValueError(
            f"components={components}: {len(images)} images of {mean.numel()} numbers allow 1 to "
            f"{most}."
        )
    width = min(most, 2 * components + 10)
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(mean.numel(), width, generator=generator).to(mean)
    with progress(f"PCA, {components} components", PASSES * len(images)) as advance:
        for _ in range(PASSES):
            basis = torch.linalg.qr(directions).Q
            directions = torch.zeros_like(basis)
            for part in chunks(images, mean.device):
                centred = (part - mean).flatten(1)
                directions += centred.T @ (centred @ basis)
                advance(len(part))
    rotation = torch.linalg.eigh(basis.T @ directions).eigenvectors
    return PCA(mean.cpu(), (basis @ rotation.flip(1)[:, :components]).cpu())


def mean_image(images: Tensor | Images, progress: Progress = silent) -> Tensor:
    """Return the (C, H, W) mean image in the precision of the images, float32 for uint8."""
    total, dtype = torch.zeros(()), torch.float32
    with progress("mean image", len(images)) as advance:
        for part in chunks(images, torch.device("cpu")):
            total, dtype = total + part.double().sum(0), part.dtype
            advance(len(part))
    return (total / len(images)).to(dtype)

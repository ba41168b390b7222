"""Distances in the features of networks trained on ImageNet: LPIPS, FID and KID."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reslag_vae.data import Images
from reslag_vae.evaluation.adapters import LatentModel
from reslag_vae.evaluation.iteration import (
    checked_images,
    chunks,
    device_of,
    evaluating,
    given_chunks,
    posterior_means,
)
from reslag_vae.evaluation.metrics.frechet import frechet_distance
from reslag_vae.evaluation.metrics.pretrained import inception_network, lpips_network
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.likelihoods.pixels import eight_bits, unit_interval

BATCH = 64
# The linear weights of LPIPS were fitted to patches of this size.
LPIPS_SIDE = 64
# Number and size of the subsets for KID, as in the authors' code.
SUBSETS, SUBSET_SIZE = 100, 1000


class InceptionDistances(NamedTuple):
    """Distances between real and generated images in the features of Inception.

    Attributes:
        fid: Fréchet Inception distance.
        kid: kernel Inception distance, not multiplied by 1000; it is unbiased, so it may be
            negative.
        kid_error: standard deviation between the subsets whose mean is `kid`.
    """

    fid: float
    kid: float
    kid_error: float


def lpips(
    model: LatentModel,
    images: Tensor | Images,
    weights: Path | None = None,
    progress: Progress = silent,
) -> Tensor:
    """Return (N,) LPIPS between images and reconstructions, in float64 on the CPU.

    Reconstructions are decoded from the posterior means.

    Zhang et al. 2018, https://arxiv.org/abs/1801.03924, Eq. 1, with AlexNet and the linear weights
    of version 0.1, which are part of torchmetrics. [0, 1] becomes [-1, 1], and one channel is
    repeated to three. Images whose smaller side is less than 64 are enlarged to that, bilinearly:
    the linear weights were fitted to patches of 64x64, and AlexNet takes nothing below 31. Numbers
    of smaller images therefore compare only with others made in this way.

    Args:
        model: any model.
        images: (N, C, H, W) uint8, or floating point in [0, 1]; C is 1 or 3.
        weights: folder with `alexnet-owt-7be5be79.pth`; None downloads it.
        progress: shows how many images are done.

    Raises:
        UserError: the weights are missing or damaged, or cannot be downloaded.
        ValueError: the model does not take such images.
    """
    images, device = checked_images(images, model), device_of(model)
    network = lpips_network(weights).to(device)
    distances, generator = [], torch.Generator().manual_seed(0)
    with evaluating(model), progress("LPIPS", len(images)) as advance:
        for own, part in given_chunks(model, images, BATCH):
            pair = (
                _enlarged(_coloured(batch.float()))
                for batch in (own.decode(posterior_means(own, part), generator), part)
            )
            distances.append(network(*pair, normalize=True).flatten().double().cpu())
            advance(len(part))
    return torch.cat(distances)


def inception_distances(
    real: Tensor | Images,
    generated: Mapping[str, Iterable[Tensor]],
    weights: Path | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> dict[str, InceptionDistances]:
    """Return FID and KID by source of the generated images.

    Heusel et al. 2017, https://arxiv.org/abs/1706.08500, Eq. 6; Bińkowski et al. 2018,
    https://arxiv.org/abs/1801.01401, section 4.

    The features are the 2048 of the original FID's Inception network, with its way of enlarging
    images to 299x299 (torch-fidelity's copy of both). Generated images are rounded to 8 bits like
    the real ones, and one channel is repeated to three. FID depends on the number of images: state
    it with the FID, and compare only FIDs of the same number. KID is the mean over 100 random
    subsets of 1,000 images of each kind, or of half as many as there are of the rarer kind. On a
    CPU Inception takes about 10 images a second.

    Args:
        real: (N, C, H, W) uint8, or floating point in [0, 1]; C is 1 or 3.
        generated: (B, C, H, W) floating-point batches by source, of any B, M images in all.
        weights: folder with `weights-inception-2015-12-05-6726825d.pth`; None downloads it.
        device: where Inception runs.
        progress: shows how many images are done; N of each kind are expected.

    Raises:
        UserError: torch-fidelity is not installed; the weights are missing or damaged, or cannot be
            downloaded.
        ValueError: there are fewer than 4 images of a kind, or the real ones are no images.
    """
    real = checked_images(real)
    network = inception_network(weights).to(device)

    def features_of(images: Iterable[Tensor]) -> Tensor:
        features = []
        for chunk in images:
            for batch in torch.split(chunk, BATCH):
                features.append(inception_features(network, batch.to(device)))
                advance(len(batch))
        return torch.cat(features)

    with progress("Inception features", (1 + len(generated)) * len(real)) as advance:
        own = features_of(chunks(real, torch.device("cpu")))
        others = {source: features_of(images) for source, images in generated.items()}
    return {
        source: InceptionDistances(frechet_distance(own, other), *kernel_distance(own, other))
        for source, other in others.items()
    }


def kernel_distance(a: Tensor, b: Tensor) -> tuple[float, float]:
    """Return mean and standard deviation of the squared MMD of two sets over subsets.

    The MMD is the unbiased one with the kernel (xᵀy / d + 1)³.

    Args:
        a: (N, d) features; N is at least 4.
        b: (M, d) features; M is at least 4.

    Raises:
        ValueError: a set has fewer than 4 features.
    """
    from torchmetrics.image.kid import poly_mmd

    size = min(SUBSET_SIZE, len(a) // 2, len(b) // 2)
    if size < 2:
        raise ValueError(
            f"Sets of {len(a)} and {len(b)} images: the kernel Inception distance takes at least 4."
        )
    generator = torch.Generator().manual_seed(0)
    values = []
    for _ in range(SUBSETS):
        first = a[torch.randperm(len(a), generator=generator)[:size]].double()
        second = b[torch.randperm(len(b), generator=generator)[:size]].double()
        values.append(poly_mmd(first, second))
    distances = torch.stack(values)
    return float(distances.mean()), float(distances.std(unbiased=False))


@torch.no_grad()
def inception_features(network: nn.Module, images: Tensor) -> Tensor:
    """Return (B, 2048) features on the CPU of (B, C, H, W) images, rounded to 8 bits first."""
    pixels = eight_bits(_coloured(unit_interval(images)))
    features: Tensor = network(pixels)[0]
    return features.cpu()


def _coloured(images: Tensor) -> Tensor:
    return images.expand(-1, 3, -1, -1)


def _enlarged(images: Tensor) -> Tensor:
    scale = LPIPS_SIDE / min(images.shape[-2:])
    if scale <= 1:
        return images
    size = [round(scale * side) for side in images.shape[-2:]]
    return F.interpolate(images, size, mode="bilinear", align_corners=False)

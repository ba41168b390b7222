"""The latent codes of images."""

from typing import NamedTuple

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
from reslag_vae.latents.gaussian import DiagonalGaussian, Posterior, normal_rows
from reslag_vae.models.inputs import as_latents


class Codes(NamedTuple):
    """Of N images, on the CPU.

    Attributes:
        posterior: of each image.
        latents: (N, d) one sample of each posterior; its mean where it is a point.
    """

    posterior: Posterior
    latents: Tensor

    @property
    def means(self) -> Tensor:
        """(N, d) posterior means."""
        return self.posterior.mean


def encode(
    model: LatentModel, images: Tensor | Images, seed: int = 0, progress: Progress = silent
) -> Codes:
    """The codes of (N, C, H, W) images; the samples depend on `seed` and not on the size of the chunks.

    Args:
        model: any.
        images: uint8 or floating point in [0, 1].
        seed: of the samples.
        progress: shows how many images are done.

    Raises:
        ValueError: they are no images of the model's, or the seed is none.
    """
    images = wanted(images, model)
    check_seed(seed)
    parts: list[Posterior] = []
    with evaluating(model), progress("encoding", len(images)) as advance:
        for part in chunks(images, device_of(model)):
            parts.append(model.posterior(part))
            advance(len(part))
    posterior = type(parts[0])(*(torch.cat(tensors).cpu() for tensors in zip(*parts, strict=True)))
    noise = None
    if isinstance(posterior, DiagonalGaussian):
        count, dimensions = posterior.mean.shape
        noise = normal_rows(count, dimensions, torch.Generator().manual_seed(seed)).to(
            posterior.mean
        )
    return Codes(posterior, posterior.sample(noise))


def decode(model: LatentModel, latents: Tensor, progress: Progress = silent) -> Tensor:
    """(N, C, H, W) images, on the CPU, of (N, d) latents.

    Raises:
        ValueError: they are no finite latents.
    """
    dimensions = getattr(getattr(model, "network", None), "latent_dim", None)
    latents = as_latents(latents, dimensions, next(model.parameters(), None))
    images = []
    with evaluating(model), progress("decoding", len(latents)) as advance:
        # The first alone: of another's model only its images tell how large they are.
        images.append(model.decode(latents[:1]).cpu())
        for part in torch.split(latents[1:], chunk_size(images[0].numel())):
            images.append(model.decode(part).cpu())
            advance(len(part))
    return torch.cat(images)

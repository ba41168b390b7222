"""The pictures that a run's training and the card of its export show of a model."""

import torch
from torch import Tensor

from reslag_vae.models import GenerativeModel

LATENT_SEED = 0

Rows = list[tuple[str, Tensor]]


@torch.no_grad()
def reconstruction_rows(model: GenerativeModel, originals: Tensor) -> Rows:
    """Return (label, (N, C, H, W) images): originals, and images decoded from their codes.

    Args:
        model: a model with latents, in evaluation mode.
        originals: (N, C, H, W) images, as `GenerativeModel.reconstruct` takes them.
    """
    label = "posterior mean" if model.likelihood.has_mean else "sample given its mean"
    return [("original", originals), (label, model.reconstruct(originals))]


@torch.no_grad()
def sample_rows(model: GenerativeModel, count: int) -> Rows:
    """Return (label, (count, C, H, W) images) of samples whose latents are the same at every call.

    Args:
        model: a model in evaluation mode.
        count: number of samples.
    """
    samples = model.sample(count, torch.Generator().manual_seed(LATENT_SEED))
    return [("prior sample", samples)]

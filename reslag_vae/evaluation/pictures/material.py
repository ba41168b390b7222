"""The images, codes and paths that the pictures of a model show."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae.data import Images
from reslag_vae.evaluation.codes import decode, decode_alike, encode
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.iteration import told_of_split
from reslag_vae.evaluation.metrics.mixture import COMPONENTS
from reslag_vae.evaluation.pictures import bilinear, line, two_dimensions
from reslag_vae.models import GenerativeModel

MIXTURE = f"mixture of {COMPONENTS} Gaussians"

# Images of a grid, and of the paths between two and between four images.
GRID_IMAGES, STEPS, SIDE = 16, 8, 7


class ModelMaterial(NamedTuple):
    """What the pictures show of one model, alone or beside others; all tensors are on the CPU.

    The original images are the same for every model, and so are the latents of models of the same
    d.

    Attributes:
        originals: (16, C, H, W) uint8 images from all over the split, or all images of a smaller
            one.
        reconstructions: (16, C, H, W) images decoded from the originals' posterior means.
        samples: (16, C, H, W) images by the source of their latents: the prior, and the mixture
            fitted to the codes.
        corners: (4, C, H, W) uint8 images, of different classes if there are so many.
        strip: (8, C, H, W) images decoded between the first two corners.
        square: (7, 7, C, H, W) images decoded between all four corners.
        plane: (N, 2) one sample of the posterior of each reference image, in two dimensions; None
            if d is 1.
        neighbours: (M, 2) t-SNE of the first of those samples; None if it is left out or not
            possible.
        labels: (N,) class numbers of the reference images.
        original_powers: (R,) mean powers of the reference images over rings of spatial frequencies.
        powers: (R,) those of the model's images by their source: reconstructions and samples.
    """

    originals: Tensor
    reconstructions: Tensor
    samples: dict[str, Tensor]
    corners: Tensor
    strip: Tensor
    square: Tensor
    plane: Tensor | None
    neighbours: Tensor | None
    labels: Tensor
    original_powers: Tensor
    powers: dict[str, Tensor]


def model_material(subject: Subject, tsne: int) -> ModelMaterial:
    """Return what the pictures show of a model.

    Args:
        subject: the model with its data and codes.
        tsne: the number of codes, at most, that get a t-SNE; 0 leaves it out.
    """
    latents = subject.codes.latents
    originals = subject.images.evenly_spaced(GRID_IMAGES)
    model = told_of_split(subject.model, originals)
    ends = corners(subject.images)
    at_ends = told_of_split(subject.model, ends)
    means = encode(at_ends, ends).means
    sources = {"prior": subject.prior_latents, MIXTURE: subject.mixture_latents}
    square = decode_alike(
        between(at_ends, lambda own: bilinear(own, SIDE).flatten(0, 1)),
        bilinear(means, SIDE).flatten(0, 1),
    )
    strip = decode_alike(
        between(at_ends, lambda own: line(own[0], own[1], STEPS)), line(means[0], means[1], STEPS)
    )
    return ModelMaterial(
        originals=originals.images,
        reconstructions=decode(model, encode(model, originals).means),
        samples={source: decode(subject.told, z[:GRID_IMAGES]) for source, z in sources.items()},
        corners=ends.images,
        strip=strip,
        square=square.view(SIDE, SIDE, *square.shape[1:]),
        plane=two_dimensions(latents) if latents.shape[1] > 1 else None,
        neighbours=neighbours(subject, tsne) if tsne else None,
        labels=subject.reference.labels,
        original_powers=subject.reference_spectra.radial.mean(0),
        powers=powers_of_images(subject),
    )


def between(model: GenerativeModel, path: Callable[[Tensor], Tensor]) -> GenerativeModel:
    """Return a conditional model that is told of a path what it is told of its ends, mixed alike.

    Args:
        model: model that is told of the ends; one that is not conditional stays as it is.
        path: function from the (n, k) numbers of the ends to the (m, k) ones of the path.
    """
    return model if model.conditions is None else model.told(path(model.conditions))


def powers_of_images(subject: Subject) -> dict[str, Tensor]:
    """Return the (R,) mean powers of a model's reconstructions and of samples of the prior."""
    samples = {"samples": subject.sample_spectra.radial.mean(0)}
    if not subject.model.latent_dim:
        return samples
    own = subject.reconstruction_spectra.reconstructions
    return {"reconstructions": own.radial.mean(0)} | samples


def corners(images: Images) -> Images:
    """Return four images of a split, of different classes if there are so many."""
    candidates = images.evenly_spaced(10 * GRID_IMAGES)
    _, order = np.unique(candidates.labels.numpy(), return_index=True)
    others = np.setdiff1d(np.arange(len(candidates)), order)
    return candidates.part(torch.from_numpy(np.concatenate([np.sort(order), others])[:4]))


def neighbours(subject: Subject, most: int) -> Tensor | None:
    """Return the (M, 2) t-SNE of posterior samples by scikit-learn, or None.

    It is None for fewer than 50 samples and for d = 1. van der Maaten & Hinton 2008,
    https://jmlr.org/papers/v9/vandermaaten08a.html.
    """
    from sklearn.manifold import TSNE

    latents = subject.codes.latents[:most]
    if len(latents) < 50 or latents.shape[1] < 2:
        return None
    with subject.progress(f"t-SNE of {len(latents):,} codes", None):
        embedding = TSNE(random_state=subject.settings.seed, init="pca", n_jobs=-1).fit_transform(
            latents.numpy()
        )
    return torch.from_numpy(embedding)

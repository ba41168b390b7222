"""The images, codes and paths that the pictures of a model show."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae.data import CelebA, Images
from reslag_vae.evaluation.codes import decode, encode
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics.mixture import COMPONENTS
from reslag_vae.evaluation.pictures import (
    Translation,
    bilinear,
    extreme_images,
    line,
    traverse,
    two_dimensions,
)
from reslag_vae.evaluation.pictures.translation import (
    attribute_directions,
    class_mean_codes,
    nearest_class,
    translate,
)

MIXTURE = f"mixture of {COMPONENTS} Gaussians"

SHOWN, STEPS, SIDE, TRAVERSED, EXTREMES, CLASSES = 16, 10, 7, 8, 6, 10
DEVIATIONS = torch.linspace(-3, 3, 9)
STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0)


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
        strip: (10, C, H, W) images decoded between the first two corners.
        square: (7, 7, C, H, W) images decoded between all four corners.
        plane: (N, 2) one sample of the posterior of each reference image, in two dimensions; None
            if d is 1.
        neighbours: (M, 2) t-SNE of the first of those samples; None if it is not wanted or not
            possible.
        labels: (N,) class numbers of the reference images.
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


def model_material(subject: Subject, tsne: int) -> ModelMaterial:
    """Compute what the pictures show of a model.

    Args:
        subject: the model with its data and codes.
        tsne: the number of codes, at most, that get a t-SNE; 0 leaves it out.
    """
    model, shown, latents = (
        subject.model,
        evenly_spaced(subject.images, SHOWN),
        subject.codes.latents,
    )
    ends = corners(subject.images)
    means = encode(model, ends).means
    sources = {"prior": subject.prior_latents, MIXTURE: subject.mixture_latents}
    square = decode(model, bilinear(means, SIDE).flatten(0, 1))
    return ModelMaterial(
        originals=shown.images,
        reconstructions=decode(model, encode(model, shown).means),
        samples={source: decode(model, z[:SHOWN]) for source, z in sources.items()},
        corners=ends.images,
        strip=decode(model, line(means[0], means[1], STEPS)),
        square=square.view(SIDE, SIDE, *square.shape[1:]),
        plane=two_dimensions(latents) if latents.shape[1] > 1 else None,
        neighbours=neighbours(subject, tsne) if tsne else None,
        labels=subject.reference.labels,
    )


def evenly_spaced(images: Images, count: int) -> Images:
    """Return `count` images evenly spaced over a split, or all images of a smaller one.

    They are then of every class also where the split is sorted.
    """
    count = min(count, len(images))
    return images.part(torch.arange(count) * len(images) // count)


def corners(images: Images) -> Images:
    """Return four images of a split, of different classes if there are so many."""
    shown = evenly_spaced(images, 10 * SHOWN)
    _, order = np.unique(shown.labels.numpy(), return_index=True)
    others = np.setdiff1d(np.arange(len(shown)), order)
    return shown.part(torch.from_numpy(np.concatenate([np.sort(order), others])[:4]))


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


def traversals(subject: Subject) -> dict[str, Tensor]:
    """Return the (10, C, H, W) traversal of each of the 8 most active dimensions, by label.

    Each is the first image decoded, and then with the dimension moved from -3σ to +3σ. The middle
    and σ are those of all codes, so that the values are the same for every image.
    """
    codes = subject.codes
    kl = codes.kls
    activity = codes.means.var(0) if kl is None else kl.mean(0)
    start = encode(subject.model, subject.images.part(torch.tensor([0]))).means[0]
    middle, deviation = codes.latents.mean(0), codes.latents.std(0)
    unit = "variance" if kl is None else "KL"
    return {
        f"z{j + 1}, {unit} {float(activity[j]):.2f}": decode(
            subject.model,
            torch.cat([start[None], traverse(start, j, middle[j] + DEVIATIONS * deviation[j])]),
        )
        for j in activity.argsort(descending=True)[:TRAVERSED].tolist()
    }


def extremes(subject: Subject) -> tuple[Tensor, Tensor, Tensor]:
    """Return errors, images and reconstructions of the best, median and worst images.

    The errors are (3, K) sums of squared errors; images and reconstructions are (3, K, C, H, W).
    """
    errors = subject.quality.mse * subject.model.dimensions
    chosen = extreme_images(errors, max(1, min(EXTREMES, len(errors) // 3)))
    images = subject.images.part(chosen.flatten())
    decoded = decode(subject.model, encode(subject.model, images).means)
    shape = (*chosen.shape, *decoded.shape[1:])
    return errors[chosen], images.images.reshape(shape), decoded.view(shape)


def translations(subject: Subject, attributes: Sequence[str]) -> list[Translation]:
    """Return translations of classes, or of attributes for CelebA; else none.

    Each class is turned into its nearest one; each attribute is added and removed.
    """
    if subject.labelled:
        return class_translations(subject)
    return attribute_translations(subject, attributes) if isinstance(subject.data, CelebA) else []


def class_translations(subject: Subject) -> list[Translation]:
    """Translate one image of each of up to 10 classes towards the class with the nearest mean."""
    names, labels = subject.data.class_names, subject.images.labels
    means = class_mean_codes(subject.train_codes.means, subject.train_images.labels, len(names))
    nearest = nearest_class(means).tolist()
    rows = []
    for k in range(0, len(names), -(-len(names) // CLASSES)):
        members = (labels == k).nonzero()[:, 0]
        if nearest[k] >= 0 and len(members):
            label = f"{names[k]} → {names[nearest[k]]}"
            rows.append(translated(subject, label, int(members[0]), means[nearest[k]] - means[k]))
    return rows


def attribute_translations(subject: Subject, attributes: Sequence[str]) -> list[Translation]:
    """Add each attribute to the first image without it, remove it from the first with it."""
    assert isinstance(subject.data, CelebA)
    train, held = subject.data.attributes("train"), subject.data.attributes(subject.settings.split)
    if train is None or held is None:
        return []
    directions = attribute_directions(subject.train_codes.means, train[subject.train_positions])
    rows = []
    for name in attributes:
        column = subject.data.attribute_names.index(name)
        for has, word, sign in ((False, "add", 1.0), (True, "remove", -1.0)):
            members = (held[:, column] == has).nonzero()[:, 0]
            if len(members) and directions[column].isfinite().all():
                label = f"{word} {name.replace('_', ' ')}"
                rows.append(translated(subject, label, int(members[0]), sign * directions[column]))
    return rows


def translated(subject: Subject, label: str, position: int, direction: Tensor) -> Translation:
    """Return one image of the split moved along a direction of the latent."""
    image = subject.images.part(torch.tensor([position]))
    code = encode(subject.model, image).means[0]
    return Translation(
        label, image.images[0], decode(subject.model, translate(code, direction, STRENGTHS))
    )

"""What the pictures of a single model show: traversals, extreme images and translations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from reslag_vae.data import CelebA
from reslag_vae.evaluation.codes import decode, decode_alike, encode
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.iteration import told_of_split
from reslag_vae.evaluation.pictures import Translation, extreme_images, traverse
from reslag_vae.evaluation.pictures.material import GRID_IMAGES
from reslag_vae.evaluation.pictures.translation import (
    attribute_directions,
    class_mean_codes,
    nearest_class,
    translate,
)

# Dimensions that are traversed, images of each kind of extreme, and classes that are translated.
TRAVERSED, EXTREMES, CLASSES = 8, 6, 10
# Places of a traversal in standard deviations, and strengths of a translation.
DEVIATIONS = torch.linspace(-3, 3, 7)
STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0)


def traversals(subject: Subject) -> dict[str, Tensor]:
    """Return the (8, C, H, W) traversal of each of the 8 most active dimensions, by label.

    Each is the first image decoded, and then with the dimension moved from -3σ to +3σ. The middle
    and σ are those of all codes, so that the values are the same for every image. A binary latent
    is 0 in the first half of the places and 1 in the others.
    """
    codes = subject.codes
    kl = codes.kls
    activity = codes.activity if kl is None else kl.mean(0)
    first = subject.images.part(torch.tensor([0]))
    model = told_of_split(subject.model, first)
    start = encode(model, first).means[0]
    middle, deviation = codes.latents.mean(0), codes.latents.std(0)
    unit, binary = "relative variance" if kl is None else "KL", subject.model.binary
    rows = {}
    for j in activity.argsort(descending=True)[:TRAVERSED].tolist():
        values = (DEVIATIONS > 0).to(start) if binary[j] else middle[j] + DEVIATIONS * deviation[j]
        path = torch.cat([start[None], traverse(start, j, values)])
        name = f"z{j + 1} is 0, then 1" if binary[j] else f"z{j + 1}"
        rows[f"{name}, {unit} {float(activity[j]):.2f}"] = decode_alike(model, path)
    return rows


def extremes(subject: Subject) -> tuple[Tensor, Tensor, Tensor]:
    """Return errors, images and reconstructions of the best, median and worst images.

    The errors are (3, K) sums of squared errors; images and reconstructions are (3, K, C, H, W).
    """
    errors = subject.quality.mse * subject.model.dimensions
    chosen = extreme_images(errors, max(1, min(EXTREMES, len(errors) // 3)))
    images = subject.images.part(chosen.flatten())
    model = told_of_split(subject.model, images)
    decoded = decode(model, encode(model, images).means)
    shape = (*chosen.shape, *decoded.shape[1:])
    return errors[chosen], images.images.reshape(shape), decoded.view(shape)


def other_latents(subject: Subject) -> tuple[Tensor, dict[str, Tensor]]:
    """Return (N, C, H, W) images, and by label what is drawn with and without what they tell.

    Both are samples of p(x|z) by the same random numbers: a decoder that ignores the latent draws
    the same images twice.
    """
    originals = subject.images.evenly_spaced(GRID_IMAGES)
    model = told_of_split(subject.model, originals)
    own = encode(model, originals).means
    return originals.images, {
        "sample given its latents": decode(model, own),
        "the same, given the prior's": decode(model, subject.prior_latents[: len(own)]),
    }


def translations(subject: Subject, attributes: Sequence[str]) -> list[Translation]:
    """Return translations of classes, or of attributes for CelebA; else none.

    Each class is turned into its nearest one; each attribute is added and removed.
    """
    if subject.labelled:
        return class_translations(subject)
    return attribute_translations(subject, attributes) if isinstance(subject.data, CelebA) else []


def class_translations(subject: Subject) -> list[Translation]:
    """Return one image of each of up to 10 classes, moved to the class with the nearest mean."""
    names, labels = subject.data.class_names, subject.images.labels
    means = class_mean_codes(subject.train_codes.means, subject.train_images.labels, len(names))
    nearest = nearest_class(means).tolist()
    rows = []
    for k in range(0, len(names), -(-len(names) // CLASSES)):
        members = (labels == k).nonzero()[:, 0]
        if nearest[k] >= 0 and len(members):
            label = f"from {names[k]} to {names[nearest[k]]}"
            rows.append(
                translated_image(subject, label, int(members[0]), means[nearest[k]] - means[k])
            )
    return rows


def attribute_translations(subject: Subject, attributes: Sequence[str]) -> list[Translation]:
    """Return the first image without each attribute, with it added, and the first with it, less it.

    Args:
        subject: a model and CelebA.
        attributes: names of the attributes.
    """
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
                rows.append(
                    translated_image(subject, label, int(members[0]), sign * directions[column])
                )
    return rows


def translated_image(subject: Subject, label: str, position: int, direction: Tensor) -> Translation:
    """Return one image of the split, moved along a direction of the latent.

    Args:
        subject: the model and its data.
        label: what the direction does, such as "add Eyeglasses".
        position: position of the image in the split.
        direction: (d,) direction, added in each of the five strengths.
    """
    image = subject.images.part(torch.tensor([position]))
    model = told_of_split(subject.model, image)
    path = translate(encode(model, image).means[0], direction, STRENGTHS)
    return Translation(label, image.images[0], decode_alike(model, path))

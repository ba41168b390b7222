"""How like the images the model's samples are, by a distance that needs no download."""

from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from reslag_vae.data import CelebA, ImageDataModule, Images
from reslag_vae.data.base import SplitName
from reslag_vae.data.cache import cache_folder
from reslag_vae.evaluation.codes import decode
from reslag_vae.evaluation.context import Subject, random_positions
from reslag_vae.evaluation.metrics.classifier import Classifier, cached_classifier, train_classifier
from reslag_vae.evaluation.metrics.frechet import frechet_distance
from reslag_vae.evaluation.metrics.mixture import COMPONENTS
from reslag_vae.evaluation.numbers import Number, Numbers, missing

UNIT = "classifier Fréchet distance"
SPLITS: tuple[SplitName, SplitName] = ("train", "val")
# Images that are decoded before their features are taken: a bound on the memory.
DECODED = 2048


def samples(subject: Subject) -> Numbers:
    """Of samples of the prior and of the codes' mixture; and of reconstructions and training images, as limits."""
    targets = labels_of(subject.data, subject.settings.split)
    if targets is None:
        why = "the images have neither classes nor attributes to train the classifier on"
        names = [*(f"classifier_frechet_{source}" for source in WORDS), "classifier_accuracy"]
        return dict.fromkeys(names, missing(UNIT, why))
    classifier = classifier_of(subject)
    trained = f"features of a classifier trained on the {len(development(subject.data)[0]):,} images of train and val"
    real = classifier.features(subject.reference, subject.progress)
    against = f"against {len(real):,} images of the {subject.settings.split} split"
    numbers: Numbers = {}
    for source, features in features_of(subject, classifier).items():
        protocol = f"{len(features):,} {WORDS[source]}, seed {subject.settings.seed}, {against}; {trained}; not FID"
        numbers[f"classifier_frechet_{source}"] = Number(
            frechet_distance(real, features), UNIT, protocol
        )
    if not subject.classes_are_trained_on:
        return numbers | {
            "classifier_accuracy": missing("accuracy", subject.other_classes_protocol)
        }
    accuracy = classifier.accuracy(subject.images, targets, subject.progress)
    numbers["classifier_accuracy"] = Number(
        accuracy, "accuracy", f"{subject.split_protocol}; {trained}"
    )
    return numbers


def features_of(subject: Subject, classifier: Classifier) -> dict[str, Tensor]:
    """(N, f) by source, N the number of the reference images, or of the training images if those are fewer."""
    sources = {
        "prior": subject.prior_latents,
        "mixture": subject.mixture_latents,
        "reconstructions": subject.codes.means,
    }
    train = subject.data.split("train")
    train = train.part(random_positions(len(train), len(subject.reference), subject.settings.seed))
    features = {
        source: of_decoded(classifier, subject, latents) for source, latents in sources.items()
    }
    return features | {"train_images": classifier.features(train, subject.progress)}


WORDS = {
    "prior": "samples of the prior",
    "mixture": f"samples of a mixture of {COMPONENTS} Gaussians fitted to the codes of training images",
    "reconstructions": "reconstructions from posterior means",
    "train_images": "training images",
}


def of_decoded(classifier: Classifier, subject: Subject, latents: Tensor) -> Tensor:
    """(N, f) features of the images of (N, d) latents."""
    with subject.progress("features of samples", len(latents)) as advance:
        parts = []
        for part in torch.split(latents, DECODED):
            parts.append(classifier.features(decode(subject.model, part)))
            advance(len(part))
    return torch.cat(parts)


def labels_of(data: ImageDataModule, split: SplitName) -> Tensor | None:
    """(N,) classes or (N, A) attributes of a split's images, or None."""
    if data.num_classes > 1:
        return data.split(split).labels
    return data.attributes(split) if isinstance(data, CelebA) else None


def classifier_of(subject: Subject) -> Classifier:
    """The classifier of the data set: trained once, then the same for every model."""
    data = subject.data
    images, targets = development(data)
    outputs = data.num_classes or targets.shape[1]

    def train() -> Classifier:
        return train_classifier(images, targets, outputs, progress=subject.progress)

    return cached_classifier(classifier_path(data, targets), data.image_shape, outputs, train)


def development(data: ImageDataModule) -> tuple[Images, Tensor]:
    """Train and validation images together, whatever the seed that parts them, and their labels."""
    train, val = data.split("train"), data.split("val")
    assert train.store is val.store, "every data module keeps them together"
    targets = [found for name in SPLITS if (found := labels_of(data, name)) is not None]
    assert len(targets) == 2, "there are labels in every split or in none"
    rows = torch.cat([train.rows, val.rows])
    order = rows.argsort()
    return Images(train.store, train.store_labels, rows[order]), torch.cat(targets)[order]


def classifier_path(data: ImageDataModule, targets: Tensor) -> Path:
    """Where a data set's classifier lies: a name for each data set, folder of pictures and labelling."""
    folder = str(getattr(data, "folder", data.root)).encode(errors="surrogateescape")
    digest = sha256(folder + targets.numpy().tobytes()).hexdigest()[:12]
    return cache_folder(data.root) / f"classifier-{data.key}-{digest}.pt"

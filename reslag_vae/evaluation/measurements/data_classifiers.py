"""The classifiers of a data set: which images they are trained on, and where they are kept."""

from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from reslag_vae.data import CelebA, ImageDataModule, Images
from reslag_vae.data.base import SplitName
from reslag_vae.data.cache import cache_folder
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics.classifier import Classifier, cached_classifier, train_classifier

SPLITS: tuple[SplitName, SplitName] = ("train", "val")


def labels_of(data: ImageDataModule, split: SplitName) -> Tensor | None:
    """Return (N,) class numbers or (N, A) attributes of a split's images; None without either."""
    if data.num_classes > 1:
        return data.split(split).labels
    return data.attributes(split) if isinstance(data, CelebA) else None


def can_classify(data: ImageDataModule) -> bool:
    """Return whether train and val have classes or attributes to train a classifier on."""
    return labels_of(data, "train") is not None and len(development_images(data)[0]) > 0


def are_known(targets: Tensor) -> Tensor:
    """Return (N,) bool, whether an image has a class, or attributes.

    Args:
        targets: (N,) class numbers, -1 of an image without; or (N, A) attributes.
    """
    return targets >= 0 if targets.dim() == 1 else torch.ones(len(targets), dtype=torch.bool)


def classifiers_of(subject: Subject) -> list[Classifier]:
    """Return the classifiers of the data set, as many as the settings say."""
    return [classifier_of(subject, seed) for seed in range(subject.settings.classifiers)]


def classifier_of(subject: Subject, seed: int) -> Classifier:
    """Return the classifier of the data set: trained once, then the same for every model.

    Args:
        subject: the model and its data.
        seed: seed of the classifier's training.
    """
    data = subject.data
    images, targets = development_images(data)
    outputs = data.num_classes or targets.shape[1]

    def train() -> Classifier:
        return train_classifier(images, targets, outputs, seed, subject.progress)

    path = classifier_path(data, images, targets, seed)
    return cached_classifier(path, data.image_shape, outputs, train)


def trained_protocol(subject: Subject) -> str:
    """Return the part of a protocol that says which classifiers measure, and their training."""
    count, classifiers = len(development_images(subject.data)[0]), subject.settings.classifiers
    trained_on = f"trained on the {count:,} images of train and val"
    if classifiers == 1:
        return f"features of a classifier {trained_on}"
    return (
        f"features of {classifiers} classifiers, seeds 0 to {classifiers - 1}, {trained_on}: "
        "mean and standard deviation over them"
    )


def development_images(data: ImageDataModule) -> tuple[Images, Tensor]:
    """Return training and validation images together, and their labels; none without a class.

    Their order does not depend on the seed that parts them.
    """
    train, val = data.split("train"), data.split("val")
    assert train.store is val.store, "every data module keeps them together"
    targets = [found for name in SPLITS if (found := labels_of(data, name)) is not None]
    assert len(targets) == 2, "there are labels in every split or in none"
    rows = torch.cat([train.rows, val.rows])
    labels, order = torch.cat(targets), rows.argsort()
    order = order[are_known(labels)[order]]
    return Images(train.store, train.store_labels, rows[order]), labels[order]


def classifier_path(data: ImageDataModule, images: Images, targets: Tensor, seed: int = 0) -> Path:
    """Return the file of a data set's classifier.

    Its name changes with any image or label that the classifier is trained on, and with the seed.
    """
    pixels = data.digests_of(images.store)[images.rows.numpy()].tobytes()
    digest = sha256(pixels + targets.numpy().tobytes()).hexdigest()[:12]
    ending = f"-seed{seed}" if seed else ""
    return cache_folder(data.root) / f"classifier-{data.key}-{digest}{ending}.pt"

"""The distance of samples from images, by a classifier that needs no download."""

from collections.abc import Sequence

import torch
from torch import Tensor

from reslag_vae.data import CelebA
from reslag_vae.evaluation.context import Subject, random_positions
from reslag_vae.evaluation.measurements.data_classifiers import (
    are_known,
    can_classify,
    classifiers_of,
    labels_of,
    trained_protocol,
)
from reslag_vae.evaluation.metrics.classifier import Classifier
from reslag_vae.evaluation.metrics.frechet import frechet_distance, frechet_error
from reslag_vae.evaluation.metrics.mixture import COMPONENTS
from reslag_vae.evaluation.numbers import (
    NO_CLASSES,
    NO_LATENTS,
    Number,
    Numbers,
    mean_over_classifiers,
    missing,
)

UNIT = "classifier Fréchet distance"
NO_LABELS = "the images have neither classes nor attributes to train the classifier on"

# The sources of the compared images, in words.
WORDS = {
    "prior": "samples of the prior",
    "mixture": (
        f"samples of a mixture of {COMPONENTS} Gaussians fitted to the codes of training images"
    ),
    "reconstructions": "reconstructions from posterior means",
    "train_images": "training images",
}


def samples(subject: Subject) -> Numbers:
    """Return the classifier Fréchet distances of samples of the prior and of the mixture.

    Beside them stand those of reconstructions and of training images, as limits, and the accuracy
    of the classifier; for a conditional model also how often it takes samples for what these were
    told to be. The mixture of Gaussians is fitted to the codes of training images. The distances of
    one classifier have their standard error over the compared images; several give means, with
    the standard deviation over the classifiers.
    """
    targets = labels_of(subject.data, subject.settings.split)
    if targets is None or not can_classify(subject.data):
        names = [*(f"classifier_frechet_{source}" for source in WORDS), "classifier_accuracy"]
        return dict.fromkeys(names, missing(UNIT, NO_LABELS))
    classifiers = classifiers_of(subject)
    features = features_of(subject, classifiers)
    numbers = distances(subject, classifiers, features)
    if subject.model.condition is not None:
        numbers["told_accuracy"] = told_accuracy(subject, classifiers, features["prior"])
    return numbers | {"classifier_accuracy": accuracy_of(subject, classifiers, targets)}


def accuracy_of(subject: Subject, classifiers: Sequence[Classifier], targets: Tensor) -> Number:
    """Return the share of right answers on the images of the split that have a class.

    Args:
        subject: the data, and the split.
        classifiers: the classifiers.
        targets: (N,) class numbers or (N, A) attributes of the split's images.
    """
    known = are_known(targets)
    if not known.any():
        return missing("accuracy", NO_CLASSES)
    if not subject.classes_are_trained_on:
        return missing("accuracy", subject.other_classes_protocol)
    images, targets = subject.images.part(known), targets[known]
    values = [own.accuracy(images, targets, subject.progress) for own in classifiers]
    words = f"{subject.settings.split} split, {len(images):,} images"
    return mean_over_classifiers(values, "accuracy", f"{words}; {trained_protocol(subject)}")


def samples_protocol(subject: Subject) -> str:
    """Return the part of a protocol that says what a conditional model's samples were told."""
    return "" if subject.model.condition is None else ", told what the reference images are"


def told_accuracy(
    subject: Subject, classifiers: Sequence[Classifier], features: Sequence[Tensor]
) -> Number:
    """Return the share of samples that the classifier takes for what these were told to be.

    Each attribute counts once.

    Args:
        subject: a conditional model and its data.
        classifiers: the classifiers.
        features: (N, f) features of samples of the prior, by each classifier.
    """
    condition, told = subject.model.condition, subject.reference.told
    assert condition is not None, "a conditional model"
    columns = list(range(condition.count))
    if isinstance(subject.data, CelebA):
        columns = [subject.data.attribute_names.index(name) for name in condition.names]
    values = []
    for classifier, own in zip(classifiers, features, strict=True):
        answers = classifier.answers(own, told.dim() == 1)
        answers = answers if told.dim() == 1 else answers[:, columns]
        values.append(float((answers == told).double().mean()))
    protocol = (
        f"{len(told):,} {WORDS['prior']}{samples_protocol(subject)}, seed "
        f"{subject.settings.seed}; {trained_protocol(subject)}"
    )
    return mean_over_classifiers(values, "accuracy", protocol)


def distances(
    subject: Subject, classifiers: Sequence[Classifier], features: dict[str, list[Tensor]]
) -> Numbers:
    """Return the Fréchet distance of each source from the reference images.

    Args:
        subject: the model and its data.
        classifiers: the classifiers.
        features: (N, f) features of the images of each source, by each classifier.
    """
    reals = [own.features(subject.reference, subject.progress) for own in classifiers]
    numbers = {}
    for source in WORDS:
        if not subject.model.latent_dim and source in ("mixture", "reconstructions"):
            numbers[f"classifier_frechet_{source}"] = missing(UNIT, NO_LATENTS)
    for source, own in features.items():
        number = distance(subject, source, own, reals)
        numbers[f"classifier_frechet_{source}"] = number
    return numbers


def distance(
    subject: Subject, source: str, features: Sequence[Tensor], reals: Sequence[Tensor]
) -> Number:
    """Return the Fréchet distance of a source's images from the reference images.

    Args:
        subject: the model and its data.
        source: source of the images.
        features: (N, f) features of its images, by each classifier.
        reals: (M, f) features of the reference images, by each classifier.
    """
    against = f"against {len(subject.reference):,} images of the {subject.settings.split} split"
    told = "" if source == "train_images" else samples_protocol(subject)
    compared = (
        f"{len(features[0]):,} {WORDS[source]}{told}, seed {subject.settings.seed}, {against}"
    )
    values = [frechet_distance(*pair) for pair in zip(reals, features, strict=True)]
    protocol = f"{compared}; {trained_protocol(subject)}; not FID"
    if len(values) > 1:
        return mean_over_classifiers(values, UNIT, protocol)
    error = frechet_error(reals[0], features[0])
    return Number(values[0], UNIT, f"{protocol}; standard error by the jackknife", error)


def prior_distance(subject: Subject) -> Number:
    """Return the classifier Fréchet distance of samples of the prior alone."""
    if not can_classify(subject.data):
        return missing(UNIT, NO_LABELS)
    classifiers = classifiers_of(subject)
    reals = [own.features(subject.reference, subject.progress) for own in classifiers]
    features = decoded_features(subject, classifiers, subject.prior_latents)
    return distance(subject, "prior", features, reals)


def features_of(subject: Subject, classifiers: Sequence[Classifier]) -> dict[str, list[Tensor]]:
    """Return (N, f) features of the images of each source, by each classifier.

    N is the number of the reference images; of training images there may be fewer.
    """
    sources = {"prior": subject.prior_latents}
    if subject.model.latent_dim:
        sources |= {"mixture": subject.mixture_latents, "reconstructions": subject.codes.means}
    train = subject.data.split("train")
    train = train.part(random_positions(len(train), len(subject.reference), subject.settings.seed))
    features = {
        source: decoded_features(subject, classifiers, latents)
        for source, latents in sources.items()
    }
    return features | {
        "train_images": [own.features(train, subject.progress) for own in classifiers]
    }


def decoded_features(
    subject: Subject, classifiers: Sequence[Classifier], latents: Tensor
) -> list[Tensor]:
    """Return (N, f) features of the images decoded from (N, d) latents, by each classifier.

    All classifiers are given the same images.
    """
    with subject.progress("features of samples", len(latents)) as advance:
        parts: list[list[Tensor]] = []
        for images in subject.decoded(latents):
            parts.append([own.features(images) for own in classifiers])
            advance(len(images))
    return [torch.cat(own) for own in zip(*parts, strict=True)]

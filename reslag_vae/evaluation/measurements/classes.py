"""Accuracies of two simple classifiers on the posterior means."""

import torch

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics.probes import NEIGHBOURS, linear_probe, nearest_neighbours
from reslag_vae.evaluation.numbers import NO_LATENTS, Number, Numbers, missing

PROBES = {
    "linear_probe": (linear_probe, "logistic regression"),
    "nearest_neighbours": (nearest_neighbours, f"{NEIGHBOURS} nearest neighbours"),
}


def classes(subject: Subject) -> Numbers:
    """Return the accuracies; they are missing without labels, and where train has no such class."""
    if not subject.labelled or len(torch.unique(subject.train_images.labels)) < 2:
        return dict.fromkeys(PROBES, missing("accuracy", "the images have no classes"))
    if not subject.classes_are_trained_on:
        return dict.fromkeys(PROBES, missing("accuracy", subject.other_classes_protocol))
    if not subject.model.latent_dim:
        return dict.fromkeys(PROBES, missing("accuracy", NO_LATENTS))
    train, test = subject.train_codes.means, subject.codes.means
    protocol = (
        f"{subject.settings.split} split, {len(test):,} images{subject.told_protocol}; fitted on "
        f"the posterior means of {len(train):,} training images, seed {subject.settings.seed}"
    )
    numbers = {}
    for name, (accuracy, what) in PROBES.items():
        with subject.progress(what, None):
            value = accuracy(train, subject.train_images.labels, test, subject.reference.labels)
        error = (value * (1 - value) / len(test)) ** 0.5
        numbers[name] = Number(value, "accuracy", f"{protocol}; {what}", error)
    return numbers

"""Accuracies of two simple classifiers on the posterior means."""

import torch

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.metrics.probes import NEIGHBOURS, linear_probe, nearest_neighbours
from reslag_vae.evaluation.numbers import NO_CLASSES, NO_LATENTS, Number, Numbers, missing

PROBES = {
    "linear_probe": (linear_probe, "logistic regression"),
    "nearest_neighbours": (nearest_neighbours, f"{NEIGHBOURS} nearest neighbours"),
}


def classes(subject: Subject) -> Numbers:
    """Return the accuracies; they are missing without labels, and where train has no such class.

    Images without a class are left out where others have one; of train the least number is 5.
    """
    labels, asked = subject.train_images.labels, subject.reference.labels
    known, has_class = labels >= 0, asked >= 0
    enough = int(known.sum()) >= NEIGHBOURS and len(torch.unique(labels[known])) > 1
    if not subject.labelled or not enough or not has_class.any():
        return dict.fromkeys(PROBES, missing("accuracy", NO_CLASSES))
    if not subject.classes_are_trained_on:
        return dict.fromkeys(PROBES, missing("accuracy", subject.other_classes_protocol))
    if not subject.model.latent_dim:
        return dict.fromkeys(PROBES, missing("accuracy", NO_LATENTS))
    train, test = subject.train_codes.means[known], subject.codes.means[has_class]
    protocol = (
        f"{subject.settings.split} split, {len(test):,} images{subject.told_protocol}; fitted on "
        f"the posterior means of {len(train):,} training images, seed {subject.settings.seed}"
    )
    numbers = {}
    for name, (accuracy, what) in PROBES.items():
        with subject.progress(what, None):
            value = accuracy(train, labels[known], test, asked[has_class])
        error = (value * (1 - value) / len(test)) ** 0.5
        numbers[name] = Number(value, "accuracy", f"{protocol}; {what}", error)
    return numbers

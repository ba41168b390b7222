"""The distance of samples from images, and the classifier behind it."""

from collections.abc import Callable
from typing import Any

import torch

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements.samples import classifier_path, development_images, samples

MakeSubject = Callable[..., Subject]


def test_the_classifier_is_the_same_for_every_seed_of_the_split(
    make_stripes: Callable[..., Any],
) -> None:
    (one, labels), (other, others) = (
        development_images(make_stripes(seed=seed)) for seed in (0, 5)
    )
    assert torch.equal(one.rows, other.rows)
    assert torch.equal(labels, others)
    assert torch.equal(one.labels, labels)
    data = make_stripes()
    assert classifier_path(data, labels) == classifier_path(data, others)
    assert classifier_path(data, labels) != classifier_path(data, 2 - labels)


def test_training_images_are_nearer_than_the_samples_of_an_untrained_model(
    make_subject: MakeSubject,
) -> None:
    subject = make_subject()
    numbers = samples(subject)
    for source in ("prior", "mixture", "reconstructions", "train_images"):
        assert "not FID" in numbers[f"classifier_frechet_{source}"].protocol
    # Training images are of the same kind as test images; those of an untrained decoder are not.
    assert (
        numbers["classifier_frechet_train_images"].value
        < 0.2 * numbers["classifier_frechet_prior"].value
    )
    assert numbers["classifier_accuracy"].value > 0.9

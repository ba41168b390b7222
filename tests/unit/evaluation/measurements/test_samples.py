"""The distance of samples from images, and the classifier behind it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from reslag_vae.data import Arrays
from reslag_vae.evaluation import context
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import data_classifiers
from reslag_vae.evaluation.measurements.data_classifiers import (
    classifier_of,
    classifier_path,
    development_images,
)
from reslag_vae.evaluation.measurements.samples import WORDS, samples
from reslag_vae.evaluation.settings import Settings

MakeSubject = Callable[..., Subject]
module: Any = data_classifiers


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
    path = classifier_path(data, one, labels)
    assert path == classifier_path(data, other, others)
    assert path != classifier_path(data, one, 2 - labels)
    paths = {classifier_path(data, one, labels, seed) for seed in range(3)}
    assert path in paths
    assert len(paths) == 3


def test_images_of_which_one_pixel_has_changed_have_a_classifier_of_their_own() -> None:
    """Arrays in memory have no name, and a folder's pictures change in their place."""
    pixels = torch.arange(10 * 64, dtype=torch.uint8).view(10, 1, 8, 8)
    edited = pixels.clone()
    edited[3, 0, 2, 2] += 1
    paths = []
    for own in (pixels, pixels.clone(), edited):
        data = Arrays(own, torch.arange(10) % 2)
        data.prepare_data()
        data.setup()
        paths.append(classifier_path(data, *development_images(data)))
    assert paths[0] == paths[1] != paths[2]


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


def test_the_number_by_several_classifiers_is_the_mean_and_has_their_standard_deviation(
    make_subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make_subject(classifiers=3)
    alone = []
    for seed in range(3):
        one = classifier_of(subject, seed)
        monkeypatch.setattr(module, "classifier_of", lambda _, __, one=one: one)
        alone.append(samples(make_subject()))
    monkeypatch.setattr(module, "classifier_of", classifier_of)
    together = samples(subject)

    for name in (*(f"classifier_frechet_{source}" for source in WORDS), "classifier_accuracy"):
        values = torch.tensor([own[name].value for own in alone], dtype=torch.float64)
        assert together[name].value == pytest.approx(float(values.mean()), rel=1e-9)
        assert together[name].error == pytest.approx(float(values.std()), rel=1e-6, abs=1e-12)
        if name == "classifier_accuracy":
            assert alone[0][name].error is None
        else:  # over images
            assert alone[0][name].error > 0
            assert "standard error by the jackknife" in alone[0][name].protocol
        assert "features of 3 classifiers, seeds 0 to 2, " in together[name].protocol
        assert "features of a classifier trained on " in alone[0][name].protocol
    assert together["classifier_frechet_prior"].error > 0
    assert len({own["classifier_frechet_prior"].value for own in alone}) == 3


def test_each_classifier_is_trained_once_and_the_first_is_that_of_a_single_one(
    make_subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    train = module.train_classifier

    def counted(*arguments: Any) -> Any:
        trained.append(arguments[3])
        return train(*arguments)

    monkeypatch.setattr(module, "train_classifier", counted)
    first = samples(make_subject())
    assert trained == [0]
    several = samples(make_subject(classifiers=3))
    assert trained == [0, 1, 2]
    again, single = samples(make_subject(classifiers=3)), samples(make_subject())
    assert trained == [0, 1, 2]
    assert (again, single) == (several, first)


def test_images_are_decoded_once_for_all_classifiers(
    make_subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = context.decode

    def counted(*arguments: Any, **options: Any) -> Any:
        decoded.append(len(arguments[1]))
        return decode(*arguments, **options)

    monkeypatch.setattr(context, "decode", counted)
    samples(make_subject(classifiers=2))
    assert decoded == [60, 60, 60], "prior, mixture, reconstructions"


def test_settings_say_the_number_of_classifiers_where_there_are_several() -> None:
    assert "classifiers" not in Settings().as_dict()
    assert Settings(classifiers=3).as_dict() == Settings().as_dict() | {"classifiers": 3}

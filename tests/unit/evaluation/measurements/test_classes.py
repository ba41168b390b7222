"""Numbers of classes, and where there are none."""

from collections.abc import Callable
from typing import Any

from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Source
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.measurements.classes import classes
from reslag_vae.evaluation.metrics.probes import linear_probe
from reslag_vae.evaluation.numbers import missing
from reslag_vae.evaluation.pictures import RatePoint
from reslag_vae.evaluation.pictures.gallery import RunMaterial, scatters
from reslag_vae.evaluation.pictures.material import model_material

MakeSubject = Callable[..., Subject]


def test_without_labels_nothing_is_said_of_classes(
    make_subject: MakeSubject, make_data: Callable[..., ImageDataModule]
) -> None:
    groups = measure(make_subject(data=make_data(train=30, val=11, test=20)))
    for name in ("classes", "samples"):
        assert all(number.value is None for number in groups[name].values())
        assert all(
            "neither classes" in n.protocol or "no classes" in n.protocol
            for n in groups[name].values()
        )


class OtherClasses(ImageDataModule):
    """Stripes, upright and lying in train and val, and bright squares in test."""

    name, image_shape = "other_classes", (1, 8, 8)

    def __init__(self, stripes: ImageDataModule) -> None:
        super().__init__(stripes.root, 16, 0.1, 0)
        self.stripes = stripes

    def read(self) -> Source:
        train, test = self.stripes.split("train"), self.stripes.split("test")
        trained = train.part(train.labels < 2)
        return Source(trained, None, test.part(test.labels == 2), self.stripes.class_names)


def test_of_classes_that_are_not_trained_on_no_accuracy_is_given(
    make_subject: MakeSubject, make_stripes: Callable[..., Any]
) -> None:
    data = OtherClasses(make_stripes())
    data.setup()
    groups = measure(make_subject(data=data))
    accuracies = groups["classes"] | {"accuracy": groups["samples"].pop("classifier_accuracy")}
    assert len(accuracies) == 3
    for number in accuracies.values():
        assert number == missing("accuracy", "no class of the test split is one of train's")
    # Features tell images apart whatever their classes are.
    assert all(number.value is not None for number in groups["samples"].values())

    validated = measure(make_subject(data=data, split="val"))
    assert validated["classes"]["linear_probe"].value is not None
    assert validated["samples"]["classifier_accuracy"].value is not None


def drawn(subject: Subject, data: ImageDataModule) -> list[str]:
    """Names of the pictures of codes in two dimensions."""
    point = RatePoint("VAE", 1.0, 2.0)
    material = RunMaterial(
        model_material(subject, 0), data.class_names, 2, [], point, None, has_mean=True
    )
    return [name for name, _ in scatters({"VAE": material})]


def test_images_without_a_class_are_left_out_of_what_asks_for_one(
    make_subject: MakeSubject, make_stripes: Callable[..., Any]
) -> None:
    data = make_stripes()
    for split in ("train", "test"):
        data.split(split).store_labels[::4] = -1
    subject = make_subject(data=data)
    groups = measure(subject)
    train, test = subject.train_images.labels, subject.reference.labels
    expected = linear_probe(
        subject.train_codes.means[train >= 0],
        train[train >= 0],
        subject.codes.means[test >= 0],
        test[test >= 0],
    )
    assert groups["classes"]["linear_probe"].value == expected
    assert "test split, 45 images; fitted on" in groups["classes"]["linear_probe"].protocol
    accuracy = groups["samples"]["classifier_accuracy"]
    assert accuracy.value is not None
    assert "test split, 45 images; features of a classifier trained on the 135 images" in (
        accuracy.protocol
    )
    assert drawn(subject, data) == ["posterior"]


def test_fewer_classes_than_vote_have_no_accuracy(
    make_subject: MakeSubject, make_stripes: Callable[..., Any]
) -> None:
    data = make_stripes()
    data.split("train").store_labels[4:] = -1
    assert classes(make_subject(data=data))["nearest_neighbours"].value is None


def test_a_split_without_any_class_has_no_accuracy(
    make_subject: MakeSubject, make_stripes: Callable[..., Any]
) -> None:
    data = make_stripes()
    data.split("test").store_labels[:] = -1
    subject = make_subject(data=data)
    groups = measure(subject)
    none = missing("accuracy", "the images have no classes")
    assert groups["classes"] == {"linear_probe": none, "nearest_neighbours": none}
    assert groups["samples"]["classifier_frechet_prior"].value is not None
    assert groups["samples"]["classifier_accuracy"] == none
    assert drawn(subject, data) == ["posterior"]

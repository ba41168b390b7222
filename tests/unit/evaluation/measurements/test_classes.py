"""Numbers of classes, and where there are none."""

from collections.abc import Callable
from typing import Any

from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Source
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.numbers import missing

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

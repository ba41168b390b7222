"""The classifier whose features serve a Fréchet distance."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reslag_vae.data import Images
from reslag_vae.evaluation.metrics import classifier as module
from reslag_vae.evaluation.metrics.classifier import Classifier, cached_classifier, train_classifier


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 40)
    monkeypatch.setattr(module, "BATCH", 32)


def stripes(count: int, channels: int = 1, side: int = 8) -> tuple[Tensor, Tensor]:
    """Noisy uint8 images with a bright left half (class 0), top half (1) or neither (2)."""
    labels = torch.arange(count) % 3
    images = torch.randint(120, (count, channels, side, side), dtype=torch.uint8)
    images[labels == 0, :, :, : side // 2] += 100
    images[labels == 1, :, : side // 2] += 100
    return images, labels


def state_of(classifier: Classifier) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in classifier.state_dict().items()}


def assert_same(a: Classifier, b: Classifier) -> None:
    torch.testing.assert_close(state_of(a), state_of(b), atol=0, rtol=0)


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 13), (1, 64)])
def test_it_learns_classes(channels: int, side: int) -> None:
    classifier = train_classifier(*stripes(90, channels, side), outputs=3)
    images, labels = stripes(60, channels, side)
    assert classifier.accuracy(images, labels) > 0.95
    answers = classifier(images / 255).argmax(1)
    answers[0] = (answers[0] + 1) % 3
    assert classifier.accuracy(images, answers) == pytest.approx(59 / 60)


def test_it_learns_attributes() -> None:
    images, labels = stripes(90)
    attributes = torch.stack([labels == 0, labels == 1, labels != 2, labels >= 0], dim=1)
    classifier = train_classifier(images, attributes, outputs=4)
    assert classifier.accuracy(images, attributes) > 0.95
    assert classifier.accuracy(images, ~attributes) == pytest.approx(
        1 - classifier.accuracy(images, attributes)
    )


def test_a_seed_gives_one_classifier_and_leaves_the_global_state() -> None:
    images, labels = stripes(30)
    before = torch.get_rng_state()
    first = train_classifier(images, labels, outputs=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(5)
    # A split of rows in another order in its store is the same data.
    split = Images(images.flip(0), labels.flip(0), torch.arange(29, -1, -1))
    assert_same(first, train_classifier(split, split.labels, outputs=3))
    other = train_classifier(images, labels, outputs=3, seed=1)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_features_depend_neither_on_other_images_nor_on_the_training_that_went_on() -> None:
    images, labels = stripes(30)
    classifier = train_classifier(images, labels, outputs=3)
    features = classifier.features(images)
    assert features.dtype == torch.float64
    assert not features.requires_grad
    torch.testing.assert_close(
        classifier.features(images[7:8]), features[7:8], atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(
        classifier.features(images.double() / 255), features, atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(
        classifier.features(Images(images, labels)), features, atol=0, rtol=0
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(5, dtype=torch.int64), "6 images have 5 labels"),
        (torch.zeros(6, 2, dtype=torch.bool), "outputs=3: the labels have 2 attributes"),
        (torch.arange(6), "outputs=3: the class numbers reach from 0 to 5"),
        (torch.full((6,), -1), "outputs=3: the class numbers reach from -1 to -1"),
    ],
)
def test_labels_must_go_with_the_images(labels: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_classifier(torch.zeros(6, 1, 8, 8), labels, outputs=3)


@pytest.fixture
def trainings() -> list[Classifier]:
    return []


@pytest.fixture
def train(trainings: list[Classifier]) -> Callable[[], Classifier]:
    """Makes another classifier each time, and keeps them all."""

    def training() -> Classifier:
        trainings.append(train_classifier(*stripes(9), outputs=3, seed=len(trainings)))
        return trainings[-1]

    return training


def test_a_file_spares_the_training(
    tmp_path: Path,
    train: Callable[[], Classifier],
    trainings: list[Classifier],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "cache" / "classifier.pt"
    first = cached_classifier(path, (1, 8, 8), 3, train)
    again = cached_classifier(path, (1, 8, 8), 3, train)
    assert len(trainings) == 1
    assert_same(first, again)
    images = stripes(9)[0]
    assert torch.equal(first.features(images), again.features(images))
    assert not caplog.records


@pytest.mark.parametrize(
    "damage", ["truncated", "foreign", "no weights", "version", "shape", "outputs"]
)
def test_a_file_of_no_use_is_replaced(
    damage: str,
    tmp_path: Path,
    train: Callable[[], Classifier],
    trainings: list[Classifier],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "classifier.pt"
    cached_classifier(
        path, (1, 16, 8) if damage == "shape" else (1, 8, 8), 2 if damage == "outputs" else 3, train
    )
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
    if damage == "foreign":
        torch.save([Path("code is refused")], path)
    if damage == "no weights":
        torch.save(
            {"version": module.VERSION, "image_shape": [1, 8, 8], "outputs": 3, "state_dict": {}},
            path,
        )
    if damage == "version":
        monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    with caplog.at_level(logging.WARNING):
        second = cached_classifier(path, (1, 8, 8), 3, train)
    assert second is trainings[1]
    assert f"The classifier in {path} is trained anew" in caplog.text
    assert_same(second, cached_classifier(path, (1, 8, 8), 3, train))
    assert len(trainings) == 2

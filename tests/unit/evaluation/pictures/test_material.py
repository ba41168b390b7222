"""What is drawn, against the model itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reslag_vae.data import CelebA, ImageDataModule, Images
from reslag_vae.data.images import Source
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.pictures.material import MIXTURE, corners, model_material
from reslag_vae.evaluation.pictures.single import (
    DEVIATIONS,
    STRENGTHS,
    extremes,
    translations,
    traversals,
)
from reslag_vae.evaluation.settings import Settings
from reslag_vae.objectives import ELBO, Objective, Reconstruction
from tests.systems import make_model


def random_images(count: int, labels: Tensor | None = None) -> Images:
    pixels = torch.randint(
        256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(count), dtype=torch.uint8
    )
    return Images(pixels, torch.full((count,), -1) if labels is None else labels)


class Labelled(ImageDataModule):
    """Random images of four classes, the last of which is nowhere."""

    name, image_shape = "labelled", (1, 8, 8)

    def read(self) -> Source:
        train, test = (random_images(n, torch.arange(n) % 3) for n in (60, 70))
        return Source(train, None, test, ["a", "b", "c", "d"])


class Faces(CelebA):
    """Random images with two attributes."""

    image_shape = (1, 8, 8)

    def __init__(self, root: Path) -> None:
        super().__init__(root, 8, 0.1, 0, size=8)
        self.image_shape = (1, 8, 8)

    def read(self) -> Source:
        return Source(random_images(60), random_images(11), random_images(20), [])

    def attributes(self, split: str) -> Tensor:  # type: ignore[override]
        count = len(self.split(split))  # type: ignore[arg-type]
        return torch.stack([torch.arange(count) % 2 == 1, torch.arange(count) >= 0], 1)

    @property
    def attribute_names(self) -> list[str]:
        return ["Black_Hair", "Alive"]


@pytest.fixture
def make_subject(make_network: Any, tmp_path: Path) -> Callable[..., Subject]:
    def subject(
        data: ImageDataModule | None = None, deterministic: bool = False, **settings: Any
    ) -> Subject:
        network = make_network(parameters_per_latent=1 if deterministic else 2)
        objective: Objective = Reconstruction() if deterministic else ELBO()
        model = make_model(network, objective.name).eval().requires_grad_(False)
        data = Labelled(tmp_path, 8, 0.1, 0) if data is None else data
        data.setup()
        return Subject(model, objective, data, Settings(**({"samples": 4} | settings)))

    return subject


@pytest.mark.parametrize("deterministic", [True, False])
def test_exhibits_are_what_the_model_makes_of_the_images(
    make_subject: Callable[..., Subject], deterministic: bool
) -> None:
    subject = make_subject(deterministic=deterministic)
    shown, model = model_material(subject, 60), subject.model
    assert torch.equal(shown.originals, subject.images.evenly_spaced(16).images)
    torch.testing.assert_close(shown.reconstructions, model.reconstruct(shown.originals))
    torch.testing.assert_close(shown.samples["prior"], model.decode(subject.prior_latents[:16]))
    torch.testing.assert_close(shown.samples[MIXTURE], model.decode(subject.mixture_latents[:16]))
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(
        shown.strip, model.interpolate(*(shown.corners[:2] / 255), steps=8), **close
    )
    ends = shown.square[[0, 0, -1, -1], [0, -1, 0, -1]]
    torch.testing.assert_close(ends, model.reconstruct(shown.corners), **close)
    assert shown.plane is not None
    assert shown.plane.shape == (70, 2)
    assert shown.neighbours is not None
    assert shown.neighbours.shape == (60, 2)
    assert shown.neighbours.isfinite().all()
    assert torch.equal(shown.labels, subject.reference.labels)
    assert list(shown.powers) == ["reconstructions", "samples"]
    for own in (shown.original_powers, *shown.powers.values()):
        assert own.shape == (4,)
        assert (own > 0).all()


def test_a_tsne_is_left_out_where_it_is_not_wanted_or_there_are_too_few(
    make_subject: Callable[..., Subject],
) -> None:
    assert model_material(make_subject(), 0).neighbours is None
    assert model_material(make_subject(), 20).neighbours is None


@pytest.mark.parametrize("deterministic", [True, False])
def test_traversals_move_one_dimension_at_a_time(
    make_subject: Callable[..., Subject], deterministic: bool
) -> None:
    subject = make_subject(deterministic=deterministic)
    rows = traversals(subject)
    codes, model = subject.codes, subject.model
    start = model.encode(subject.images.images[:1])[0]
    assert (codes.posterior is None) == deterministic
    if codes.posterior is None:
        activity = codes.means.var(0)
    else:
        activity = codes.posterior.standard_kl().mean(0)
    order = activity.argsort(descending=True).tolist()
    assert [label.split(",")[0] for label in rows] == [f"z{j + 1}" for j in order]
    for j, images in zip(order, rows.values(), strict=True):
        moved = start.repeat(len(DEVIATIONS), 1)
        moved[:, j] = codes.latents[:, j].mean() + DEVIATIONS * codes.latents[:, j].std()
        torch.testing.assert_close(images, model.decode(torch.cat([start[None], moved])))


def test_corners_are_of_different_classes_where_there_are_so_many() -> None:
    labels = torch.tensor([2, 2, 2, 0, 0, 1, 2, 3, 3, 1])
    assert corners(random_images(10, labels)).labels.tolist() == [2, 0, 1, 3]
    assert corners(random_images(10, labels % 2)).rows.tolist() == [0, 5, 1, 2]
    assert corners(random_images(3)).rows.tolist() == [0, 1, 2]


def test_extremes_are_the_smallest_the_middle_and_the_largest_errors(
    make_subject: Callable[..., Subject],
) -> None:
    subject = make_subject()
    errors, originals, decoded = extremes(subject)
    x = subject.images.images
    every = (
        (subject.model.reconstruct(x) - x / 255).square().flatten(1).sum(1).sort().values.double()
    )
    torch.testing.assert_close(errors[0], every[:6], rtol=1e-5, atol=0)
    torch.testing.assert_close(errors[2], every[-6:], rtol=1e-5, atol=0)
    torch.testing.assert_close(errors[1], every[32:38], rtol=1e-5, atol=0)
    again = (decoded - originals / 255).square().flatten(2).sum(2).double()
    torch.testing.assert_close(again, errors, rtol=1e-5, atol=0)


def test_each_class_is_turned_into_the_nearest_one_that_there_is(
    make_subject: Callable[..., Subject],
) -> None:
    subject = make_subject()
    rows = translations(subject, [])
    assert [row.label.split()[1] for row in rows] == ["a", "b", "c"]
    assert not any(row.label.endswith("d") for row in rows)
    codes, labels = subject.train_codes.means, subject.train_images.labels
    for k, row in enumerate(rows):
        assert torch.equal(row.original, subject.images.images[k])
        other = "abc".index(row.label[-1])
        direction = codes[labels == other].mean(0) - codes[labels == k].mean(0)
        start = subject.model.encode(row.original[None])
        moved = start + torch.tensor(STRENGTHS)[:, None] * direction
        torch.testing.assert_close(row.decoded, subject.model.decode(moved))


def test_attributes_are_added_where_they_lack_and_removed_where_they_are(
    make_subject: Callable[..., Subject], tmp_path: Path
) -> None:
    subject = make_subject(Faces(tmp_path))
    # Everybody is alive: there is no direction from those who are not.
    rows = translations(subject, ["Black_Hair", "Alive"])
    assert [row.label for row in rows] == ["add Black Hair", "remove Black Hair"]
    codes, has = subject.train_codes.means, torch.arange(60) % 2 == 1
    direction = codes[has].mean(0) - codes[~has].mean(0)
    for row, position, sign in zip(rows, (0, 1), (1, -1), strict=True):
        assert torch.equal(row.original, subject.images.images[position])
        moved = subject.model.encode(row.original[None]) + sign * 2 * direction
        torch.testing.assert_close(row.decoded[-1:], subject.model.decode(moved))


def test_the_attributes_are_those_of_the_drawn_training_images(
    make_subject: Callable[..., Subject], tmp_path: Path
) -> None:
    subject = make_subject(Faces(tmp_path), train_images=13)
    (row, _) = translations(subject, ["Black_Hair"])
    codes, has = subject.train_codes.means, subject.train_positions % 2 == 1
    direction = codes[has].mean(0) - codes[~has].mean(0)
    moved = subject.model.encode(row.original[None]) + 2 * direction
    torch.testing.assert_close(row.decoded[-1:], subject.model.decode(moved))


def test_images_without_labels_are_not_translated(make_network: Any, make_data: Any) -> None:
    subject = Subject(make_model(make_network()).eval(), ELBO(), make_data(), Settings())
    assert translations(subject, ["Smiling"]) == []

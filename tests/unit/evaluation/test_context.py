"""What numbers and pictures share."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.context import Settings, Subject, drawn
from reslag_vae.evaluation.losses import evaluate
from reslag_vae.objectives import ELBO, MMD, SigmaFixed
from reslag_vae.variants import VAE, MMDInfoVAE, OptimalSigmaVAE

MakeData = Callable[..., ImageDataModule]


@pytest.fixture
def subject(make_network: Any, make_data: MakeData) -> Subject:
    data = make_data(train=30, val=11, test=21)
    return Subject(
        VAE(make_network(), ELBO()).eval(), data, Settings(reference=8, train_images=12, samples=4)
    )


def test_codes_are_those_of_the_images_beside_them(subject: Subject) -> None:
    assert len(subject.images) == 21
    assert len(subject.reference) == 8
    torch.testing.assert_close(
        subject.codes.means, subject.model.encode(subject.reference.images).detach()
    )
    torch.testing.assert_close(
        subject.train_codes.means, subject.model.encode(subject.train_images.images).detach()
    )
    # The upper left pixel of each training image is its number.
    assert torch.equal(subject.train_images.images[:, 0, 0, 0].long(), subject.train_positions)


def test_the_reference_is_in_random_order_so_that_its_first_images_stand_for_all(
    subject: Subject,
) -> None:
    whole = Subject(subject.model, subject.data, subject.settings._replace(reference=21)).reference
    assert sorted(whole.rows.tolist()) == sorted(subject.images.rows.tolist())
    assert whole.rows.tolist() != subject.images.rows.tolist()
    assert whole.rows[:8].tolist() == subject.reference.rows.tolist()


def test_what_is_computed_once_is_kept(subject: Subject) -> None:
    assert subject.codes is subject.codes
    assert subject.bounds is subject.bounds
    assert subject.mixture is subject.mixture


def test_prior_latents_are_the_same_for_every_model_of_the_same_size(
    subject: Subject, make_network: Any
) -> None:
    other = Subject(MMDInfoVAE(make_network(), MMD()), subject.data, subject.settings)
    assert torch.equal(subject.prior_latents, other.prior_latents)
    assert subject.prior_latents.shape == subject.mixture_latents.shape == (8, 3)


def test_the_split_is_the_wanted_one(subject: Subject) -> None:
    assert len(Subject(subject.model, subject.data, Settings("val")).images) == 11


def test_a_model_without_a_variance_takes_the_yardsticks(
    make_network: Any, subject: Subject
) -> None:
    model = MMDInfoVAE(make_network(), MMD())
    other = Subject(model.eval(), subject.data, subject.settings)
    sigma2, whose = other.sigma2
    assert float(sigma2) == pytest.approx(
        evaluate(model, subject.data.in_order("train"))["rec"] / 64
    )
    assert float(sigma2) == pytest.approx(other.train_mse)
    assert "for want of an own" in whose
    sigma2, whose = Subject(
        OptimalSigmaVAE(make_network(), SigmaFixed(0.5)), subject.data, subject.settings
    ).sigma2
    assert float(sigma2) == 0.5
    assert whose == "the model's own"


def test_drawn_are_different_numbers_in_order_by_the_seed() -> None:
    assert drawn(5, 9, 0).tolist() == [0, 1, 2, 3, 4]
    few = drawn(100, 10, 0)
    assert (few.diff() > 0).all()
    assert torch.equal(few, drawn(100, 10, 0))
    assert not torch.equal(few, drawn(100, 10, 1))

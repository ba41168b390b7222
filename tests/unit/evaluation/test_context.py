"""What numbers and pictures share."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation import iteration
from reslag_vae.evaluation.context import Subject, random_positions
from reslag_vae.evaluation.epoch import evaluate
from reslag_vae.evaluation.settings import Settings
from reslag_vae.likelihoods import Bernoulli, FixedVariance, Gaussian
from reslag_vae.models import FlatModel
from reslag_vae.objectives import ELBO, MMD, Beta
from tests.systems import make_model

MakeData = Callable[..., ImageDataModule]


@pytest.fixture
def subject(make_network: Any, make_data: MakeData) -> Subject:
    data = make_data(train=30, val=11, test=21)
    settings = Settings(reference=8, train_images=12, samples=4)
    return Subject(make_model(make_network()).eval(), ELBO(), data, settings)


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
    whole = replace(subject, settings=subject.settings._replace(reference=21)).reference
    assert sorted(whole.rows.tolist()) == sorted(subject.images.rows.tolist())
    assert whole.rows.tolist() != subject.images.rows.tolist()
    assert whole.rows[:8].tolist() == subject.reference.rows.tolist()


def test_losses_are_measured_in_batches_that_fit_but_for_statistics_of_minibatches(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sizes(own: Subject) -> list[int]:
        return [len(batch.images) for batch in own.batches("train")]

    subject.data.batch_size = 16
    assert sizes(subject) == [30]
    monkeypatch.setattr(iteration, "NUMBERS", 20 * 64)
    assert sizes(subject) == [20, 10]
    assert sizes(replace(subject, objective=MMD())) == [16, 14]


def test_what_is_computed_once_is_kept(subject: Subject) -> None:
    assert subject.codes is subject.codes
    assert subject.bounds is subject.bounds
    assert subject.mixture is subject.mixture


def test_prior_latents_are_the_same_for_every_model_of_the_same_size(
    subject: Subject, make_network: Any
) -> None:
    other = replace(subject, model=make_model(make_network(), "mmd"), objective=MMD())
    assert torch.equal(subject.prior_latents, other.prior_latents)
    assert subject.prior_latents.shape == subject.mixture_latents.shape == (8, 3)


def test_the_split_is_the_wanted_one(subject: Subject) -> None:
    assert len(replace(subject, settings=Settings("val")).images) == 11


def test_a_model_without_a_variance_takes_the_yardsticks(
    make_network: Any, subject: Subject
) -> None:
    model = make_model(make_network(), "mmd").eval()
    other = replace(subject, model=model, objective=MMD())
    rec = evaluate(model, MMD(), subject.data.in_order("train")).means.read()["rec"]
    assert float(other.likelihood.sigma2) == pytest.approx(rec / 64)
    assert float(other.likelihood.sigma2) == pytest.approx(other.train_mse)
    assert other.likelihood_protocol.startswith("sigma2 is the mean squared error on train")
    assert "since the model has none of its own" in other.likelihood_protocol
    own = replace(subject, model=FlatModel(make_network(), Gaussian(FixedVariance(0.5))))
    assert float(own.likelihood.sigma2) == 0.5
    assert own.likelihood_protocol == "sigma2 is the model's own"


def test_a_weight_of_the_kl_implies_a_variance(make_network: Any, subject: Subject) -> None:
    model = make_model(make_network(), "beta").eval()
    implied = replace(subject, model=model, objective=Beta(6.0))
    # Rec + 6 KL / d has the optimum of a variance of 6 / (2 d), d = 3.
    assert float(implied.likelihood.sigma2) == pytest.approx(1.0)
    assert implied.likelihood_protocol == "sigma2 is the model's own"


def test_a_mass_has_no_variance_and_is_called_by_its_name(
    make_network: Any, subject: Subject
) -> None:
    model = FlatModel(make_network(), Bernoulli())
    binary = replace(subject, model=model)
    assert binary.likelihood is model.likelihood
    assert binary.likelihood_protocol == "likelihood=bernoulli"


def test_drawn_are_different_numbers_in_order_by_the_seed() -> None:
    assert random_positions(5, 9, 0).tolist() == [0, 1, 2, 3, 4]
    few = random_positions(100, 10, 0)
    assert (few.diff() > 0).all()
    assert torch.equal(few, random_positions(100, 10, 0))
    assert not torch.equal(few, random_positions(100, 10, 1))

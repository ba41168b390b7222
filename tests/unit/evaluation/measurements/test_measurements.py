"""The groups of numbers, against what they are made of."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.losses import evaluate
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.measurements.latent import latent
from reslag_vae.evaluation.measurements.likelihood import likelihood
from reslag_vae.evaluation.measurements.losses import losses
from reslag_vae.evaluation.measurements.reconstruction import reconstruction
from reslag_vae.evaluation.measurements.samples import classifier_path, development, samples
from reslag_vae.evaluation.metrics.aggregate import aggregate_posterior
from reslag_vae.evaluation.metrics.bounds import importance_weighted_bound
from reslag_vae.latents.gaussian import DiagonalGaussian
from reslag_vae.objectives import ELBO, MMD, Beta, Objective, Reconstruction, SigmaFixed
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import VAE, AutoEncoder, BetaVAE, MMDInfoVAE, OptimalSigmaVAE

MakeSubject = Callable[..., Subject]

EVERY = [
    (AutoEncoder, Reconstruction()),
    (VAE, ELBO()),
    (BetaVAE, Beta(6.0)),
    (MMDInfoVAE, MMD()),
    (OptimalSigmaVAE, SigmaFixed(0.1)),
]


@pytest.mark.parametrize(("kind", "objective"), EVERY)
def test_thesis_terms_are_the_models_own_losses(
    kind: type[BaseVAE], objective: Objective, make_subject: MakeSubject
) -> None:
    subject = make_subject(kind, objective)
    groups = losses(subject)
    means = evaluate(subject.model, subject.data.in_order("test"))
    thesis, yardstick = groups["thesis"], groups["yardstick"]

    assert thesis["rec"].value == pytest.approx(means["rec"], rel=1e-6)
    assert thesis["total"].value == pytest.approx(means["loss"], rel=1e-6)
    assert (thesis["mmd"].value is None) == ("mmd" not in means)
    if kind is AutoEncoder:
        assert thesis["lat"].value is None
        assert "without a density" in thesis["lat"].protocol
        assert yardstick["elbo"].value is None
    else:
        averaged = kind in (BetaVAE, MMDInfoVAE)
        assert thesis["lat"].value == pytest.approx(means["kl"] / (3 if averaged else 1), rel=1e-5)
        assert ("per latent dimension" in thesis["lat"].unit) == averaged
        assert yardstick["elbo"].value == pytest.approx(means["elbo"], rel=1e-6)
        assert yardstick["bits_per_dim"].value == pytest.approx(means["bits_per_dim"], rel=1e-6)
    if kind is BetaVAE:  # Total = Rec + beta · Lat, as in the thesis' Table 1
        assert thesis["total"].value == pytest.approx(
            thesis["rec"].value + 6.0 * thesis["lat"].value, rel=1e-6
        )
    if kind is MMDInfoVAE:
        assert thesis["total"].value == pytest.approx(
            thesis["rec"].value + 500 * thesis["mmd"].value, rel=1e-6
        )
        assert thesis["total"].error is None
        assert "minibatches of 16" in thesis["total"].protocol


def test_errors_are_those_of_the_mean_over_images(make_subject: MakeSubject) -> None:
    subject = make_subject()
    values = importance_weighted_bound(subject.model, subject.reference, 4, 0.1).importance_weighted
    number = likelihood(subject)["importance_weighted_bound"]
    assert number.value == pytest.approx(float(values.mean()))
    assert number.error == pytest.approx(float(values.std()) / math.sqrt(60))


def test_the_bound_is_taken_with_the_models_own_variance_or_says_that_it_is_not(
    make_subject: MakeSubject,
) -> None:
    own = likelihood(make_subject(OptimalSigmaVAE, SigmaFixed(0.2)))
    assert own["sigma2"].value == pytest.approx(0.2)
    assert "the model's own" in own["importance_weighted_bound"].protocol
    subject = make_subject(MMDInfoVAE, MMD())
    other = likelihood(subject)
    assert other["sigma2"].value == pytest.approx(float(subject.model.train_mse), rel=1e-6)
    assert "for want of an own" in other["importance_weighted_bound"].protocol
    assert likelihood(make_subject(AutoEncoder, Reconstruction()))["elbo"].value is None


def test_a_number_does_not_depend_on_what_was_measured_before_it(make_subject: MakeSubject) -> None:
    one, other = make_subject(MMDInfoVAE, MMD()), make_subject(MMDInfoVAE, MMD())
    losses(one)
    assert likelihood(one) == likelihood(other)


def test_the_likelihood_is_that_of_the_reference_images(make_subject: MakeSubject) -> None:
    subject = make_subject(reference=25)
    assert len(subject.bounds.elbo) == 25
    assert "test split, 25 images, seed 0" in likelihood(subject)["elbo"].protocol


def test_bits_of_the_bound(make_subject: MakeSubject) -> None:
    subject = make_subject()
    bits = likelihood(subject)["bits_per_dim"]
    values = math.log2(255) - subject.bounds.dequantised / (64 * math.log(2))
    assert bits.value == pytest.approx(float(values.mean()))
    assert bits.error == pytest.approx(float(values.std()) / math.sqrt(60))
    assert "dequantised evenly" in bits.protocol


def test_reconstructions_stand_beside_the_linear_limit(make_subject: MakeSubject) -> None:
    subject = make_subject()
    numbers = reconstruction(subject)
    x = subject.images.images / 255
    error = (subject.model.reconstruct(x) - x).square()
    assert numbers["mse"].value == pytest.approx(float(error.mean()), rel=1e-5)
    assert numbers["rec"].value == pytest.approx(float(error.flatten(1).sum(1).mean()), rel=1e-5)
    assert numbers["ssim"].value is None
    assert "too small" in numbers["ssim"].protocol
    # Three components hold three patterns: what is left is the noise, which no untrained network
    # reaches.
    assert numbers["pca_mse"].value < 0.01 < numbers["mse"].value
    assert "3 principal components of train, 162 images" in numbers["pca_mse"].protocol


def test_what_the_latent_carries(make_subject: MakeSubject) -> None:
    subject = make_subject(reference=40)
    numbers = latent(subject)
    posterior = subject.codes.posterior
    assert isinstance(posterior, DiagonalGaussian)
    assert len(posterior.mean) == 40
    assert numbers["kl"].value == pytest.approx(float(posterior.kl().sum(1).mean()), rel=1e-5)
    assert numbers["mutual_information_ceiling"].value == pytest.approx(math.log(40))
    result = aggregate_posterior(
        posterior, subject.codes.latents, subject.mixture.log_prob(subject.codes.latents)
    )
    for name in ("mutual_information", "aggregate_kl", "total_correlation"):
        bracket = getattr(result, name)
        assert (numbers[f"{name}_low"].value, numbers[f"{name}_high"].value) == bracket
    assert set(latent(make_subject(AutoEncoder, Reconstruction()))) == set(numbers)


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


@pytest.mark.parametrize(("kind", "objective"), EVERY)
def test_every_number_has_its_protocol_and_none_depends_on_the_batch_size(
    kind: type[BaseVAE],
    objective: Objective,
    make_subject: MakeSubject,
    make_stripes: Callable[..., Any],
) -> None:
    one, other = (
        measure(make_subject(kind, objective, make_stripes(batch_size=size))) for size in (7, 60)
    )
    assert {group: set(numbers) for group, numbers in one.items()} == {
        g: set(n) for g, n in other.items()
    }
    for group, numbers in one.items():
        for name, number in numbers.items():
            assert number.protocol
            assert number.unit
            if name != "mmd" and not (
                kind is MMDInfoVAE and name == "total"
            ):  # a statistic of the minibatch
                expected = other[group][name].value
                assert number.value == (
                    None if expected is None else pytest.approx(expected, rel=1e-4, abs=1e-6)
                ), name


def test_the_classifier_is_the_same_for_every_seed_of_the_split(
    make_stripes: Callable[..., Any],
) -> None:
    (one, labels), (other, others) = (development(make_stripes(seed=seed)) for seed in (0, 5))
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

"""The groups of numbers, against what they are made of."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from reslag_vae.data import ImageDataModule, Images
from reslag_vae.data.images import Source
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.epoch import evaluate
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.measurements.latent import NO_GAUSSIAN, latent
from reslag_vae.evaluation.measurements.likelihood import likelihood
from reslag_vae.evaluation.measurements.losses import losses
from reslag_vae.evaluation.measurements.reconstruction import reconstruction
from reslag_vae.evaluation.measurements.samples import classifier_path, development_images, samples
from reslag_vae.evaluation.metrics.aggregate import aggregate_posterior
from reslag_vae.evaluation.metrics.bounds import importance_weighted_bound
from reslag_vae.evaluation.numbers import missing
from reslag_vae.evaluation.pictures.single import traversals
from reslag_vae.evaluation.record import diagnosis_of
from reslag_vae.evaluation.summary import verdict
from reslag_vae.latents import DiagonalGaussian, MixturePrior, PointPosterior, Posterior
from reslag_vae.likelihoods import Bernoulli, FixedVariance, Gaussian
from reslag_vae.models import FlatModel

MakeSubject = Callable[..., Subject]

EVERY = [
    ("reconstruction", {}),
    ("elbo", {}),
    ("beta", {"beta": 6.0}),
    ("mmd", {}),
    ("sigma_fixed", {}),
]


@pytest.mark.parametrize(("choice", "options"), EVERY)
def test_thesis_terms_are_the_models_own_losses(
    choice: str, options: dict[str, Any], make_subject: MakeSubject
) -> None:
    subject = make_subject(choice, options=options)
    groups = losses(subject)
    epoch = evaluate(subject.model, subject.objective, subject.data.in_order("test"))
    means = epoch.metrics(subject.train_mse)
    thesis, yardstick = groups["thesis"], groups["yardstick"]

    assert thesis["rec"].value == pytest.approx(means["rec"], rel=1e-6)
    assert thesis["total"].value == pytest.approx(means["loss"], rel=1e-6)
    assert (thesis["mmd"].value is None) == ("mmd" not in means)
    if choice == "reconstruction":
        assert thesis["lat"].value is None
        assert "without a density" in thesis["lat"].protocol
        assert yardstick["elbo"].value is None
    else:
        averaged = choice in ("beta", "mmd")
        assert thesis["lat"].value == pytest.approx(means["kl"] / (3 if averaged else 1), rel=1e-5)
        assert ("per latent dimension" in thesis["lat"].unit) == averaged
        assert yardstick["elbo"].value == pytest.approx(means["elbo"], rel=1e-6)
        assert yardstick["bits_per_dim"].value == pytest.approx(means["bits_per_dim"], rel=1e-6)
    if choice == "beta":  # Total = Rec + beta · Lat, as in the thesis' Table 1
        assert thesis["total"].value == pytest.approx(
            thesis["rec"].value + 6.0 * thesis["lat"].value, rel=1e-6
        )
    if choice == "mmd":
        assert thesis["total"].value == pytest.approx(
            thesis["rec"].value + 500 * thesis["mmd"].value, rel=1e-6
        )
        assert thesis["total"].error is None
        assert "minibatches of 16" in thesis["total"].protocol


def test_errors_are_those_of_the_mean_over_images(make_subject: MakeSubject) -> None:
    subject = make_subject()
    values = importance_weighted_bound(
        subject.model, subject.reference, 4, 0.05
    ).importance_weighted
    number = likelihood(subject)["importance_weighted_bound"]
    assert number.value == pytest.approx(float(values.mean()))
    assert number.error == pytest.approx(float(values.std()) / math.sqrt(60))


def test_the_bound_is_taken_with_the_models_own_variance_or_says_that_it_is_not(
    make_subject: MakeSubject, make_network: Callable[..., Any]
) -> None:
    model = FlatModel(make_network(), Gaussian(FixedVariance(0.2)))
    own = likelihood(make_subject(model=model))
    assert own["sigma2"].value == pytest.approx(0.2)
    assert "the model's own" in own["importance_weighted_bound"].protocol
    subject = make_subject("mmd")
    other = likelihood(subject)
    assert other["sigma2"].value == pytest.approx(subject.train_mse, rel=1e-6)
    assert "for want of an own" in other["importance_weighted_bound"].protocol
    assert likelihood(make_subject("reconstruction"))["elbo"].value is None


def test_a_number_does_not_depend_on_what_was_measured_before_it(make_subject: MakeSubject) -> None:
    one, other = make_subject("mmd"), make_subject("mmd")
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
    assert numbers["kl"].value == pytest.approx(
        float(posterior.standard_kl().sum(1).mean()), rel=1e-5
    )
    assert numbers["mutual_information_ceiling"].value == pytest.approx(math.log(40))
    result = aggregate_posterior(
        posterior, subject.codes.latents, subject.mixture.log_prob(subject.codes.latents)
    )
    for name in ("mutual_information", "aggregate_kl", "total_correlation"):
        bracket = getattr(result, name)
        assert (numbers[f"{name}_low"].value, numbers[f"{name}_high"].value) == bracket
    assert set(latent(make_subject("reconstruction"))) == set(numbers)


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


@pytest.mark.parametrize(("choice", "options"), EVERY)
def test_every_number_has_its_protocol_and_none_depends_on_the_batch_size(
    choice: str,
    options: dict[str, Any],
    make_subject: MakeSubject,
    make_stripes: Callable[..., Any],
) -> None:
    one, other = (
        measure(make_subject(choice, make_stripes(batch_size=size), options=options))
        for size in (7, 60)
    )
    assert {group: set(numbers) for group, numbers in one.items()} == {
        g: set(n) for g, n in other.items()
    }
    for group, numbers in one.items():
        for name, number in numbers.items():
            assert number.protocol
            assert number.unit
            if name != "mmd" and not (
                choice == "mmd" and name == "total"
            ):  # a statistic of the minibatch
                expected = other[group][name].value
                assert number.value == (
                    None if expected is None else pytest.approx(expected, rel=1e-4, abs=1e-6)
                ), name


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


class BlackAndWhite(ImageDataModule):
    """The stripes of two levels."""

    name, image_shape = "black_and_white", (1, 8, 8)

    def __init__(self, stripes: ImageDataModule) -> None:
        super().__init__(stripes.root, 16, 0.1, 0)
        self.stripes = stripes

    @property
    def binary(self) -> bool:
        return True

    def read(self) -> Source:
        train, test = (binary(self.stripes.split(name)) for name in ("train", "test"))
        return Source(train, None, test, self.stripes.class_names)


def binary(images: Images) -> Images:
    return Images((images.images > 160).to(torch.uint8) * 255, images.labels)


@pytest.fixture
def black_and_white(make_stripes: Callable[..., Any]) -> ImageDataModule:
    data = BlackAndWhite(make_stripes())
    data.setup()
    return data


def test_a_mass_is_measured_in_nats_and_bits_of_its_own(
    make_subject: MakeSubject,
    make_network: Callable[..., Any],
    black_and_white: ImageDataModule,
) -> None:
    subject = make_subject("elbo", black_and_white, FlatModel(make_network(), Bernoulli()))
    groups = measure(subject)
    own, yardstick = groups["likelihood"], groups["yardstick"]

    bound = float(subject.bounds.importance_weighted.mean())
    assert own["importance_weighted_bound"].value == pytest.approx(bound)
    assert own["bits_per_dim"].value == pytest.approx(-bound / (64 * math.log(2)))
    assert "dequantised" not in own["bits_per_dim"].protocol
    assert "a mass" in own["elbo"].protocol
    assert "likelihood=bernoulli" in own["elbo"].protocol
    assert own["sigma2"].value is None
    assert own["sigma2"].protocol == "likelihood=bernoulli has none"

    # An untrained decoder throws a coin for each pixel, nearly.
    assert 0.9 < yardstick["bits_per_dim"].value < 1.2
    elbo = -yardstick["bits_per_dim"].value * 64 * math.log(2)
    assert yardstick["elbo"].value == pytest.approx(elbo)
    assert yardstick["elbo"].value == pytest.approx(-groups["thesis"]["total"].value, rel=1e-5)
    assert yardstick["sigma2"].value is None
    assert yardstick["sigma2"].protocol == "likelihood=bernoulli is a mass"


def test_a_point_has_no_bound_under_a_mass_either(
    make_subject: MakeSubject,
    make_network: Callable[..., Any],
    black_and_white: ImageDataModule,
) -> None:
    network = make_network(parameters_per_latent=1)
    model = FlatModel(network, Bernoulli(), PointPosterior())
    groups = measure(make_subject("reconstruction", black_and_white, model))
    for name in ("kl", "elbo", "bits_per_dim"):
        assert groups["yardstick"][name].value is None
        assert "without a density" in groups["yardstick"][name].protocol
    assert all(number.value is None for number in groups["likelihood"].values())


def test_a_learned_prior_is_measured_by_samples_where_there_is_no_closed_form(
    make_subject: MakeSubject, make_network: Callable[..., Any]
) -> None:
    model = FlatModel(make_network(), Gaussian(FixedVariance(0.1)), prior=MixturePrior(3, 4))
    subject = make_subject(model=model)
    groups = measure(subject)
    assert all(number.value is not None for name in LATENT for number in groups[name].values())
    codes = subject.codes
    assert codes.kls is None
    assert codes.posterior is not None
    density = model.prior().log_prob(codes.latents)
    sampled = codes.posterior.log_prob(codes.latents) - density
    assert groups["latent"]["kl"].value == pytest.approx(float(sampled.mean()), rel=1e-4)

    diagnosis = diagnosis_of(subject)
    assert diagnosis is not None
    told = verdict(subject, diagnosis)
    assert told["sentence"] == diagnosis.verdict
    assert [dimension["kl"] for dimension in told["dimensions"]] == [None] * 3
    assert [label.split(",")[1].split()[0] for label in traversals(subject)] == ["variance"] * 3


LATENT = ("likelihood", "latent", "yardstick")


class Logistic(NamedTuple):
    """A posterior of independent logistic latents of scale 1, of which no integral is known here."""

    mean: Tensor
    has_density = True
    log_variance = None

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        noise = torch.randn_like(self.mean) if noise is None else noise
        return self.mean + torch.special.ndtr(noise).logit()

    def log_prob(self, latents: Tensor) -> Tensor:
        shifted = latents - self.mean
        densities: Tensor = -shifted - 2 * torch.nn.functional.softplus(-shifted)
        return densities.sum(1)

    def standard_kl(self) -> None:
        return None

    def repeat(self, count: int) -> "Logistic":
        return Logistic(self.mean.repeat_interleave(count, 0))


class LogisticPosterior(Posterior):
    name = "logistic"
    provides = frozenset({"density"})
    parameters_per_latent = 1

    def forward(self, features: Tensor) -> Logistic:  # type: ignore[override]
        return Logistic(features)


def test_what_takes_gaussian_posteriors_says_that_these_are_none(
    make_subject: MakeSubject, make_network: Callable[..., Any]
) -> None:
    network = make_network(parameters_per_latent=1)
    model = FlatModel(network, Gaussian(FixedVariance(0.1)), LogisticPosterior())
    subject = make_subject(model=model)
    groups = measure(subject)
    carried = groups["latent"]
    assert carried.pop("active_units").value is not None
    assert carried.pop("kl").value == pytest.approx(float(subject.codes.rates.mean()), rel=1e-6)
    assert {number.protocol for number in carried.values()} == {NO_GAUSSIAN}
    assert {number.value for number in carried.values()} == {None}
    assert all(number.value is not None for number in groups["likelihood"].values())
    assert diagnosis_of(subject) is not None

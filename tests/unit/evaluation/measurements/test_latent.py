"""The information of the codes, for every kind of prior and posterior."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.measurements.latent import NO_GAUSSIAN, latent
from reslag_vae.evaluation.metrics.aggregate import aggregate_posterior
from reslag_vae.evaluation.pictures.single import traversals
from reslag_vae.evaluation.record import diagnosis_of
from reslag_vae.evaluation.summary import verdict
from reslag_vae.latents import DiagonalGaussian, MixturePrior, Posterior
from reslag_vae.likelihoods import FixedVariance, Gaussian
from reslag_vae.models import FlatModel

MakeSubject = Callable[..., Subject]


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


LATENT = ("likelihood", "latent", "yardstick")


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
    assert [label.split(",")[1].split()[0] for label in traversals(subject)] == ["relative"] * 3


class Logistic(NamedTuple):
    """A posterior of independent logistic latents of scale 1, with no integral known here."""

    mean: Tensor
    has_density = True
    log_variance = None

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        noise = torch.randn_like(self.mean) if noise is None else noise
        return self.mean + torch.special.ndtr(noise).logit()

    @property
    def variance(self) -> Tensor:
        return torch.full_like(self.mean, math.pi**2 / 3)

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

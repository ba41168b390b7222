"""The bounds on the log-likelihood, and the variance that they are taken with."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements.likelihood import likelihood
from reslag_vae.evaluation.measurements.losses import losses
from reslag_vae.evaluation.metrics.bounds import importance_weighted_bound
from reslag_vae.latents import TwoStagePrior, UniformCodes, VectorQuantised
from reslag_vae.likelihoods import FixedVariance, Gaussian
from reslag_vae.models import FlatModel
from reslag_vae.networks import GridNetwork

MakeSubject = Callable[..., Subject]


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
    assert "since the model has none of its own" in other["importance_weighted_bound"].protocol
    assert likelihood(make_subject("reconstruction"))["elbo"].value is None


@pytest.mark.parametrize("prior", [None, TwoStagePrior(3, [8])])
def test_the_protocol_says_that_a_prior_is_bounded(
    prior: TwoStagePrior | None, make_subject: MakeSubject, make_network: Callable[..., Any]
) -> None:
    model = FlatModel(make_network(), Gaussian(FixedVariance(0.2)), prior=prior)
    protocol = likelihood(make_subject(model=model))["importance_weighted_bound"].protocol
    assert "4 samples of each posterior" in protocol
    assert ("whose log p(z) is bounded, too" in protocol) == (prior is not None)


def test_codes_are_decoded_once_and_their_bound_is_that_of_any_number_of_samples(
    make_subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = GridNetwork((1, 8, 8), 3, [4, 4], [1, 1])
    posterior = VectorQuantised(3, codes=9)
    model = FlatModel(network, Gaussian(FixedVariance(0.2)), posterior, UniformCodes())
    subject = make_subject(model=model)
    several = importance_weighted_bound(model, subject.reference, 4)
    decoded: list[int] = []
    original = model.parameters_of

    def counted(latents: tuple[Tensor, ...]) -> Tensor:
        decoded.append(len(latents[0]))
        return original(latents)

    monkeypatch.setattr(model, "parameters_of", counted)
    for own, other in zip(subject.bounds, several, strict=True):
        torch.testing.assert_close(own, other)
    assert sum(decoded) == len(subject.reference)
    protocol = likelihood(subject)["importance_weighted_bound"].protocol
    assert "with each image's codes, which are all samples of its posterior" in protocol


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

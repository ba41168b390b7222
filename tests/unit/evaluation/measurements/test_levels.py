"""What is measured and drawn of models of several levels: one of them binary, or a hierarchy."""

import math
from collections.abc import Callable

import pytest
import torch

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.pictures.single import traversals
from reslag_vae.evaluation.record import diagnosis_of
from reslag_vae.latents import (
    BernoulliPosterior,
    BoltzmannPrior,
    GaussianPosterior,
    PrecisionWeightedPosterior,
    StandardNormal,
)
from reslag_vae.likelihoods import PixelCNNPlusPlus, UnitGaussian
from reslag_vae.models import HierarchicalModel, SharedModel
from reslag_vae.networks import LadderNetwork, SharedNetwork, VeryDeepNetwork

MakeSubject = Callable[..., Subject]
SHAPE = (1, 8, 8)
UNITS, VECTOR, PLACES = 4, 2, 4


def build(strength: float) -> SharedModel:
    """A model whose units, alone, are inferred from the image and used by the decoder."""
    torch.manual_seed(0)
    network = SharedNetwork(SHAPE, VECTOR, [4, 4], [1, 1], UNITS, 1, 4, 1, 2)
    likelihood = PixelCNNPlusPlus(SHAPE, "levels", 4, 2, 3, parameters_per_channel=2)
    model = SharedModel(network, likelihood, BernoulliPosterior(), BoltzmannPrior(UNITS))
    with torch.no_grad():
        network.generative.from_local.weight.zero_()
        network.generative.from_vector[0].weight[:, UNITS:] = 0
        for weight in network.generative.parameters():
            weight.mul_(strength if weight.dim() > 1 else 1)
        for layer in (network.inference.to_vector[-1], network.inference.to_local[0]):
            layer.weight.zero_()
            layer.bias.zero_()
        network.inference.to_vector[-1].weight[:UNITS].normal_(std=30)
        for layer in likelihood.network.gated_layers():
            if layer.context is not None:
                layer.context.weight.mul_(strength)
    return model


def test_every_number_is_there_or_says_why_not(make_subject: MakeSubject) -> None:
    subject = make_subject("elbo", model=build(3.0))
    numbers = measure(subject)
    likelihood, latent = numbers["likelihood"], numbers["latent"]
    bound, elbo = likelihood["importance_weighted_bound"].value, likelihood["elbo"].value

    assert bound is not None
    assert elbo is not None
    assert bound >= elbo
    assert latent["active_units"].value == UNITS
    assert latent["active_units"].unit == f"of {UNITS + VECTOR + PLACES}"
    assert latent["kl"].value is not None
    assert latent["mutual_information_low"].value is None
    assert "not all posteriors are diagonal Gaussians" in latent["mutual_information_low"].protocol
    assert "the nearer of 0 and 1" in numbers["reconstruction"]["mse"].protocol
    for name in ("prior", "mixture", "reconstructions"):
        assert numbers["samples"][f"classifier_frechet_{name}"].value is not None


def test_the_verdict_tells_the_levels_that_idle(make_subject: MakeSubject) -> None:
    subject = make_subject("elbo", model=build(6.0))
    diagnosis = diagnosis_of(subject)
    assert diagnosis is not None

    assert diagnosis.active.tolist() == [True] * UNITS + [False] * (VECTOR + PLACES)
    assert diagnosis.ignored.tolist() == [False] * UNITS + [True] * (VECTOR + PLACES)
    assert diagnosis.verdict.startswith("partly collapsed: of 10 latent dimensions 6 ignored")


def test_idle_binary_units_are_asked_of_the_decoder(make_subject: MakeSubject) -> None:
    model = build(6.0)
    torch.nn.init.zeros_(model.network.inference.to_vector[-1].weight)
    diagnosis = diagnosis_of(make_subject("elbo", model=model))
    assert diagnosis is not None

    assert not diagnosis.active.any()
    assert diagnosis.lagging[:UNITS].any()
    assert not diagnosis.lagging[UNITS:].any()


def test_a_walk_along_a_binary_unit_is_its_two_values(make_subject: MakeSubject) -> None:
    subject = make_subject("elbo", model=build(3.0))
    rows = traversals(subject)
    binary = {label: images for label, images in rows.items() if "is 0, then 1" in label}

    assert len(binary) == UNITS
    for images in binary.values():
        lower, upper = images[1:].chunk(2)
        assert len(lower.unique(dim=0)) == len(upper.unique(dim=0)) == 1
        assert not torch.equal(lower[0], upper[0])
        assert any(torch.equal(images[0], other) for other in (lower[0], upper[0]))


def build_hierarchy(silent: int) -> HierarchicalModel:
    """A model of a vector, a 2 x 2 and a 4 x 4 map, of which the image says nothing of one."""
    torch.manual_seed(0)
    network = LadderNetwork(SHAPE, 3, [4, 4], [1, 1], [1, 1])
    model = HierarchicalModel(
        network, UnitGaussian(), PrecisionWeightedPosterior(), StandardNormal(3)
    )
    with torch.no_grad():
        for level, head in enumerate(network.inference.heads):
            weight, bias = head[-1 if level == 0 else 0].parameters()
            variances = slice(len(bias) // 2, None)
            weight.mul_(0 if level == silent else 300)
            weight[variances] = 0
            bias.zero_()
            if level and level == silent:
                bias[variances] = 1000  # of no precision
    return model


def test_the_levels_of_a_hierarchy_are_measured_one_by_one(make_subject: MakeSubject) -> None:
    subject = make_subject("elbo", model=build_hierarchy(silent=1))
    numbers = measure(subject)
    latent, likelihood = numbers["latent"], numbers["likelihood"]
    bound, elbo = likelihood["importance_weighted_bound"].value, likelihood["elbo"].value
    kls = [latent[f"kl_level_{level}"] for level in (1, 2, 3)]
    total = latent["kl"].value

    assert bound is not None
    assert elbo is not None
    assert total is not None
    assert bound >= elbo
    assert sum(own.value or 0 for own in kls) == pytest.approx(total, rel=1e-5)
    assert all(own.error is not None for own in kls)
    assert "given one sample of any latents" in kls[1].protocol
    assert latent["mutual_information_low"].value is None
    assert "given the image alone" in latent["mutual_information_low"].protocol
    for name in ("prior", "mixture", "reconstructions"):
        assert numbers["samples"][f"classifier_frechet_{name}"].value is not None


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_the_verdict_names_the_level_that_says_nothing(
    silent: int, make_subject: MakeSubject
) -> None:
    subject = make_subject("elbo", model=build_hierarchy(silent))
    diagnosis = diagnosis_of(subject)
    assert diagnosis is not None

    levels = torch.split(diagnosis.active, [3, 4, 16])
    assert [bool(own.any()) for own in levels] == [level != silent for level in range(3)]
    assert diagnosis.verdict.endswith(f"; level {silent + 1} of 3 COLLAPSED: KL 0.00 nats")


def test_more_latents_than_pixels_are_measured_without_a_linear_limit(
    make_subject: MakeSubject,
) -> None:
    torch.manual_seed(0)
    network = VeryDeepNetwork(SHAPE, 3, [1, 1], width=4)
    model = HierarchicalModel(network, UnitGaussian(), GaussianPosterior(), StandardNormal(3))
    numbers = measure(make_subject("elbo", model=model))

    pixels, latents = math.prod(SHAPE), network.latent_dim
    assert pixels < latents
    assert numbers["reconstruction"]["pca_rec"].value is None
    protocol = numbers["reconstruction"]["pca_rec"].protocol
    assert protocol == f"images of {pixels} numbers have fewer than {latents} components"
    assert numbers["latent"]["active_units"].unit == f"of {latents}"
    assert numbers["likelihood"]["importance_weighted_bound"].value is not None

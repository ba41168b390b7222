"""Every group of numbers under a likelihood that is a mass."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from reslag_vae.data import ImageDataModule, Images
from reslag_vae.data.images import Source
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import measure
from reslag_vae.latents import PointPosterior
from reslag_vae.likelihoods import Bernoulli
from reslag_vae.models import FlatModel

MakeSubject = Callable[..., Subject]


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

"""A model as functions of plain tensors."""

from collections.abc import Callable

import pytest
import torch

from reslag_vae.networks import LightResidualNetwork, Network
from reslag_vae.objectives import (
    ELBO,
    MMD,
    Beta,
    Capacity,
    Objective,
    Reconstruction,
    SigmaData,
    SigmaFixed,
    SigmaLearned,
    SigmaOptimal,
)
from reslag_vae.training.schedules import Lagging
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import VAE, AutoEncoder, BetaVAE, LaggingVAE

MakeNetwork = Callable[..., Network]
SHAPE = (1, 8, 8)


@pytest.fixture
def model(make_network: MakeNetwork) -> BaseVAE:
    return VAE(make_network(), ELBO()).eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(256, (5, *SHAPE), dtype=torch.uint8)


@torch.no_grad()
def test_shapes(model: BaseVAE, images: torch.Tensor) -> None:
    assert model.encode(images).shape == (5, 3)
    assert model.decode(torch.zeros(4, 3)).shape == (4, *SHAPE)
    assert model.reconstruct(images).shape == model(images).shape == (5, *SHAPE)
    assert model.sample(7).shape == (7, *SHAPE)
    assert model.interpolate(images[0], images[1], steps=6).shape == (6, *SHAPE)
    assert model.dimensions == 64


@torch.no_grad()
def test_bytes_and_the_same_values_in_the_unit_interval_are_one(
    model: BaseVAE, images: torch.Tensor
) -> None:
    unit = images / 255
    assert torch.equal(model.encode(images), model.encode(unit))
    assert torch.equal(model.reconstruct(images), model.reconstruct(unit))
    assert torch.equal(model.interpolate(images[0], images[1]), model.interpolate(unit[0], unit[1]))
    noise = torch.randn(5, 3)
    assert torch.equal(model.terms(images, noise).loss, model.terms(unit, noise).loss)


@torch.no_grad()
def test_images_are_means_between_black_and_white(model: BaseVAE) -> None:
    samples = model.sample(50)
    assert samples.min() >= 0
    assert samples.max() <= 1


@torch.no_grad()
def test_samples_of_one_seed_repeat(model: BaseVAE) -> None:
    first, again, other = (
        model.sample(4, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@torch.no_grad()
def test_a_seeded_sample_leaves_the_global_random_state_alone(model: BaseVAE) -> None:
    before = torch.get_rng_state()
    model.sample(4, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


@torch.no_grad()
def test_a_sample_is_decoded_from_the_prior(model: BaseVAE) -> None:
    latents = torch.randn(4, 3, generator=torch.Generator().manual_seed(3))
    assert torch.equal(model.sample(4, torch.Generator().manual_seed(3)), model.decode(latents))


@torch.no_grad()
def test_an_interpolation_ends_in_the_reconstructions(model: BaseVAE, images: torch.Tensor) -> None:
    path = model.interpolate(images[0], images[1], steps=5)
    torch.testing.assert_close(path[[0, -1]], model.reconstruct(images[:2]))
    middle = model.encode(images[:2]).mean(0, keepdim=True)
    torch.testing.assert_close(path[2:3], model.decode(middle))


@torch.no_grad()
def test_a_reconstruction_is_of_the_posterior_mean(model: BaseVAE, images: torch.Tensor) -> None:
    assert torch.equal(model.encode(images), model.posterior(images).mean)
    assert torch.equal(model.reconstruct(images), model.decode(model.encode(images)))


def test_double_precision_goes_all_the_way(model: BaseVAE, images: torch.Tensor) -> None:
    terms = model.double().terms(images.double() / 255)
    assert {value.dtype for value in terms if value is not None} == {torch.float64}


def test_given_noise_makes_the_terms_a_function(
    make_network: MakeNetwork, images: torch.Tensor
) -> None:
    model, noise, prior = (
        LaggingVAE(make_network(), MMD(), Lagging()).eval(),
        torch.randn(5, 3),
        torch.randn(5, 3),
    )
    before = torch.get_rng_state()
    first, again = model.terms(images, noise, prior), model.terms(images, noise, prior)
    assert torch.equal(first.loss, again.loss)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(model.terms(images, noise, prior + 1).loss, first.loss)


@torch.no_grad()
def test_the_code_of_an_autoencoder_is_its_network_output(
    make_network: MakeNetwork, images: torch.Tensor
) -> None:
    model = AutoEncoder(make_network(parameters_per_latent=1), Reconstruction()).eval()
    assert torch.equal(model.encode(images), model.network.inference(images / 255))
    assert model.terms(images).kl is None


def sigma(rule: str, beta: str) -> tuple[str, ...]:
    return ("(D/2) ln s2 + Rec / (2 s2) + KL", rule, beta)


@pytest.mark.parametrize(
    ("objective", "parts"),
    [
        (ELBO(), ("elbo: mean over images of Rec / 2 + KL", "likelihood variance 1")),
        (Beta(4), ("beta: mean over images of Rec + 4 · KL / d", "1.33333 in Rec + beta · KL")),
        (
            Capacity(10, 25, 20),
            ("Rec + 10 · |KL - C|", "rises to 25 nats in 20 epochs; 25 at evaluation"),
        ),
        (MMD(), ("Rec + 500 · MMD²", "exp(-|x - y|² / d²)", "biased")),
        (
            MMD(0.5, 10, 4, "unbiased"),
            ("Rec + 0.5 · KL / d + 9.5 · MMD²", "exp(-|x - y|² / 4)", "unbiased"),
        ),
        (SigmaData(SHAPE), sigma("variance of the minibatch's pixels", "2 s2")),
        (SigmaOptimal(SHAPE, "pixel"), sigma("mean squared error of the minibatch, pixel", "2 s2")),
        (SigmaLearned(SHAPE, "pixel"), sigma("learned, pixel", "2 s2")),
        (SigmaFixed(0.05), sigma("fixed at 0.05", "0.1")),
    ],
)
def test_the_card_names_what_is_minimised(
    objective: Objective, parts: tuple[str, ...], make_network: MakeNetwork
) -> None:
    variant = BetaVAE if isinstance(objective, Beta | Capacity) else LaggingVAE
    card = variant(make_network(LightResidualNetwork), objective, Lagging()).card()
    text = "\n".join(card.values())
    for part in (objective.name, "LightResidualNetwork, latent d = 3", "D = 64", *parts):
        assert part in text
    assert all(isinstance(value, str) for value in card.values())


def test_the_card_of_an_autoencoder_names_squared_error_alone(make_network: MakeNetwork) -> None:
    card = AutoEncoder(make_network(parameters_per_latent=1), Reconstruction()).card()
    assert card["objective"] == "reconstruction: mean over images of Rec"
    assert "KL" not in card

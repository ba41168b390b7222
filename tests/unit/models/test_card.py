"""The objective card, and the choice of `objective=` that gives a run's parts."""

from collections.abc import Callable

import pytest

from reslag_vae.latents import MixturePrior, PointPosterior
from reslag_vae.likelihoods import (
    Bernoulli,
    DataVariance,
    FixedVariance,
    Gaussian,
    LearnedVariance,
    Likelihood,
    OptimalVariance,
    SquaredError,
    UnitGaussian,
)
from reslag_vae.models import FlatModel
from reslag_vae.models.card import equivalent_sigma2, objective_card, preset
from reslag_vae.networks import LightResidualNetwork, Network
from reslag_vae.objectives import ELBO, MMD, Beta, Capacity, Objective, Rate, Reconstruction

MakeNetwork = Callable[..., Network]
SHAPE = (1, 8, 8)


def sigma(rule: str, beta: str) -> tuple[str, ...]:
    return ("mean over images of (D/2) ln s2 + Rec / (2 s2) + KL", rule, beta)


@pytest.mark.parametrize(
    ("objective", "likelihood", "parts"),
    [
        (
            ELBO(),
            UnitGaussian(),
            ("elbo: mean over images of Rec / 2 + KL", "likelihood variance 1"),
        ),
        (
            Beta(4),
            SquaredError(),
            ("beta: mean over images of Rec + 4 · KL / d", "1.33333 in Rec + beta · KL"),
        ),
        (
            Capacity(10, 25, 20),
            SquaredError(),
            ("Rec + 10 · |KL - C|", "rises to 25 nats in 20 epochs; 25 at evaluation"),
        ),
        (MMD(), SquaredError(), ("Rec + 500 · MMD²", "exp(-|x - y|² / d²)", "biased")),
        (
            MMD(0.5, 10, 4, "unbiased"),
            SquaredError(),
            ("Rec + 0.5 · KL / d + 9.5 · MMD²", "exp(-|x - y|² / 4)", "unbiased"),
        ),
        (
            ELBO(),
            Gaussian(DataVariance(SHAPE)),
            sigma("variance of the minibatch's pixels", "2 s2"),
        ),
        (
            ELBO(),
            Gaussian(OptimalVariance(SHAPE, "pixel")),
            sigma("mean squared error of the minibatch, pixel", "2 s2"),
        ),
        (ELBO(), Gaussian(LearnedVariance(SHAPE, "pixel")), sigma("learned, pixel", "2 s2")),
        (ELBO(), Gaussian(FixedVariance(0.05)), sigma("fixed at 0.05", "2 s2")),
        (
            Beta(6),
            Gaussian(FixedVariance(0.05)),
            ("+ 6 · KL / d", "fixed at 0.05", "4 s2 in Rec + beta · KL"),
        ),
        (ELBO(), Bernoulli(), ("mean over images of -sum ln p(x|z) + KL", "in nats")),
    ],
)
def test_the_card_names_what_is_minimised(
    objective: Objective, likelihood: Likelihood, parts: tuple[str, ...], make_network: MakeNetwork
) -> None:
    model = FlatModel(make_network(LightResidualNetwork), likelihood)
    card = objective_card("vae", model, objective)
    text = "\n".join(card.values())
    for part in (
        preset(model, objective),
        "vae: LightResidualNetwork, latent d = 3",
        "D = 64",
        *parts,
    ):
        assert part in text
    assert all(isinstance(value, str) for value in card.values())


@pytest.mark.parametrize("objective", [MMD(), Capacity()])
def test_without_a_constant_weight_of_the_kl_there_is_no_beta(
    objective: Objective, make_network: MakeNetwork
) -> None:
    model = FlatModel(make_network(), Gaussian(DataVariance(SHAPE)))
    assert "beta_eff" not in objective_card("vae", model, objective)


def test_a_learned_prior_is_named_and_its_kl_is_an_estimate(make_network: MakeNetwork) -> None:
    network = make_network()
    model = FlatModel(network, UnitGaussian(), prior=MixturePrior(network.latent_dim, 7))
    card = objective_card("vae", model, ELBO())
    assert card["p(z)"] == "mixture of 7 Gaussians, learned"
    assert card["KL"].startswith("estimated by the one sample")


def test_the_card_of_an_autoencoder_names_squared_error_alone(make_network: MakeNetwork) -> None:
    network = make_network(parameters_per_latent=1)
    model = FlatModel(network, SquaredError(), PointPosterior())
    card = objective_card("autoencoder", model, Reconstruction())
    assert card["objective"] == "reconstruction: mean over images of Rec"
    assert "KL" not in card


@pytest.mark.parametrize(
    ("objective", "likelihood", "name", "sigma2"),
    [
        (ELBO(), UnitGaussian(), "elbo", 1.0),
        (ELBO(), Gaussian(DataVariance(SHAPE)), "sigma_data", None),
        (ELBO(), Gaussian(FixedVariance(0.05)), "sigma_fixed", None),
        (ELBO(), SquaredError(), "elbo, squared_error", 0.5),
        (ELBO(), Bernoulli(), "elbo, bernoulli", None),
        (Beta(6.0), SquaredError(), "beta", 1.0),
        (Beta(6.0), UnitGaussian(), "beta, unit_gaussian", 2.0),
        (MMD(), SquaredError(), "mmd", None),
        (Rate(), Gaussian(DataVariance(SHAPE)), "rate", None),
    ],
)
def test_the_preset_names_objective_and_likelihood(
    objective: Objective,
    likelihood: Likelihood,
    name: str,
    sigma2: float | None,
    make_network: MakeNetwork,
) -> None:
    model = FlatModel(make_network(), likelihood)
    assert preset(model, objective) == name
    assert equivalent_sigma2(model, objective) == sigma2

"""Which parts go together, and what each variant takes."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from reslag_vae.latents import (
    GaussianPosterior,
    MixturePrior,
    PointPosterior,
    Posterior,
)
from reslag_vae.likelihoods import SquaredError
from reslag_vae.models import FlatModel
from reslag_vae.models.generative import GROUPS
from reslag_vae.networks import LightResidualNetwork, Network, PlainNetwork, ResidualNetwork
from reslag_vae.objectives import ELBO, MMD, Beta, Capacity, Objective, Reconstruction, WarmUp
from reslag_vae.training.schedules import Joint, Lagging, Schedule
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import (
    VAE,
    AutoEncoder,
    BetaVAE,
    LaggingVAE,
    MMDInfoVAE,
    OptimalSigmaVAE,
    ResLagLightVAE,
    ResLagVAE,
)
from tests.systems import OBJECTIVES, make_system
from tests.updates import gradients, norm

MakeNetwork = Callable[..., Network]
Combination = tuple[type[BaseVAE], type[Network], str]

NETWORKS = (PlainNetwork, ResidualNetwork, LightResidualNetwork)
RULES = ("sigma_data", "sigma_optimal", "sigma_learned", "sigma_fixed")
OF_LAGGING = ("elbo", "beta", "capacity", "mmd", *RULES)
REFUSAL = r"^(model|objective)=\w+ does not take \w+=\w+(; it|, and model=autoencoder) takes"
# What each variant takes.
TAKES: dict[type[BaseVAE], tuple[tuple[type[Network], ...], tuple[str, ...]]] = {
    AutoEncoder: (NETWORKS, ("reconstruction", "mmd")),
    VAE: (NETWORKS, ("elbo", *RULES)),
    BetaVAE: (NETWORKS, ("beta", "capacity")),
    MMDInfoVAE: (NETWORKS, ("mmd",)),
    OptimalSigmaVAE: (NETWORKS, RULES),
    LaggingVAE: (NETWORKS, OF_LAGGING),
    ResLagVAE: ((ResidualNetwork,), OF_LAGGING),
    ResLagLightVAE: ((LightResidualNetwork,), OF_LAGGING),
}


def combinations() -> Iterator[Combination]:
    """All variants, networks and objectives."""
    for variant in TAKES:
        for network in NETWORKS:
            yield from ((variant, network, objective) for objective in OBJECTIVES)


def is_taken(variant: type[BaseVAE], network: type[Network], objective: str) -> bool:
    networks, objectives = TAKES[variant]
    return network in networks and objective in objectives


def make(
    variant: type[BaseVAE], network: type[Network], objective: str, make_network: MakeNetwork
) -> BaseVAE:
    """A system with the schedule that the variant is for."""
    own = make_network(network, 1 if variant is AutoEncoder else 2)
    schedule = Lagging() if "lagging" in variant.requires else Joint()
    return make_system(variant, own, objective, schedule)


@pytest.mark.parametrize(
    ("variant", "network", "objective"), [each for each in combinations() if is_taken(*each)]
)
def test_every_parameter_is_in_one_group_and_reached_by_a_gradient(
    variant: type[BaseVAE], network: type[Network], objective: str, make_network: MakeNetwork
) -> None:
    system = make(variant, network, objective, make_network)
    grouped = [id(parameter) for name in GROUPS for parameter in system.group_parameters(name)]
    assert sorted(grouped) == sorted(id(parameter) for parameter in system.parameters())
    held = [
        id(p)
        for optimizer in system.configure_optimizers()[0]
        for g in optimizer.param_groups
        for p in g["params"]
    ]
    assert held == grouped
    system.terms(torch.rand(6, 1, 8, 8)).loss.mean().backward()
    for name in GROUPS:
        found = gradients(system, name)
        assert all(gradient is not None and gradient.isfinite().all() for gradient in found)
        assert norm(found) > 0


class Scaled(PlainNetwork):
    """With a parameter beside its encoder and its decoder."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.scale = nn.Parameter(torch.ones(()))


class Tied(PlainNetwork):
    """Whose decoder begins with the encoder's last weights."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.generative.tied = self.inference[-1]  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Scaled, "^network.scale: is neither of the encoder nor of the decoder"),
        (Tied, "^network.inference.2.weight: is of the encoder and of the decoder"),
    ],
)
def test_a_parameter_outside_of_the_groups_or_in_both_is_refused(
    kind: type[PlainNetwork], said: str
) -> None:
    network = kind((1, 8, 8), 2, [4], [1])
    with pytest.raises(ValueError, match=said):
        VAE(network)
    VAE(network.requires_grad_(False))


@pytest.mark.parametrize(
    ("variant", "network", "objective"), [each for each in combinations() if not is_taken(*each)]
)
def test_every_other_combination_is_refused(
    variant: type[BaseVAE], network: type[Network], objective: str, make_network: MakeNetwork
) -> None:
    with pytest.raises(ValueError, match=REFUSAL):
        make(variant, network, objective, make_network)


@pytest.mark.parametrize("variant", TAKES)
def test_a_variant_is_only_a_name_and_what_it_takes(variant: type[BaseVAE]) -> None:
    own = {name for name in vars(variant) if not name.startswith("__") and name != "_abc_impl"}
    assert {"name", "title"} <= own <= {"name", "title", "usual", "requires"}
    assert variant.__mro__[1] is BaseVAE
    assert variant.__doc__ is not None


@pytest.mark.parametrize("variant", TAKES)
def test_the_usual_objective_of_a_variant_is_one_that_it_takes(variant: type[BaseVAE]) -> None:
    assert variant.usual in TAKES[variant][1]


@pytest.mark.parametrize(
    ("variant", "network", "objective", "schedule", "message"),
    [
        (
            BetaVAE,
            PlainNetwork,
            "sigma_data",
            Joint(),
            "model=beta_vae does not take objective=sigma_data; it takes objective=beta, capacity.",
        ),
        (
            AutoEncoder,
            PlainNetwork,
            "sigma_data",
            Joint(),
            "objective=sigma_data does not take posterior=point, and model=autoencoder takes no "
            "other; choose objective=mmd, reconstruction, or another model.",
        ),
        (
            OptimalSigmaVAE,
            PlainNetwork,
            "elbo",
            Joint(),
            "model=optimal_sigma does not take likelihood=unit_gaussian; "
            "it takes likelihood=sigma_data, sigma_fixed, sigma_learned, sigma_optimal.",
        ),
        (
            ResLagVAE,
            PlainNetwork,
            "sigma_data",
            Lagging(),
            "model=reslag does not take network=plain; it takes network=residual.",
        ),
        (
            ResLagVAE,
            LightResidualNetwork,
            "elbo",
            Lagging(),
            "model=reslag does not take network=residual_light; it takes network=residual.",
        ),
        (
            ResLagLightVAE,
            ResidualNetwork,
            "elbo",
            Lagging(),
            "model=reslag_light does not take network=residual; it takes network=residual_light.",
        ),
        (
            LaggingVAE,
            PlainNetwork,
            "elbo",
            Joint(),
            "model=lagging does not take schedule=joint; it takes schedule=lagging.",
        ),
        (
            VAE,
            PlainNetwork,
            "mmd",
            Joint(),
            "model=vae does not take objective=mmd; it takes objective=elbo, free_bits, "
            "level_free_bits, warm_up, sigma_data, sigma_fixed, sigma_learned, sigma_optimal.",
        ),
    ],
)
def test_the_whole_message_names_options(
    variant: type[BaseVAE],
    network: type[Network],
    objective: str,
    schedule: Schedule,
    message: str,
    make_network: MakeNetwork,
) -> None:
    own = make_network(network, 1 if variant is AutoEncoder else 2)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make_system(variant, own, objective, schedule)


def test_what_is_offered_first_needs_nothing_else_changed(make_network: MakeNetwork) -> None:
    # Not binary units, codes or levels: these want other priors or networks too.
    message = r"^objective=elbo does not take posterior=point; it takes posterior=diagonal_gaussian"
    with pytest.raises(ValueError, match=message + "[.]$"):
        make_system(VAE, make_network(PlainNetwork, 1), "elbo", Joint())


def test_an_autoencoder_takes_no_density(make_network: MakeNetwork) -> None:
    message = r"^model=autoencoder does not take posterior=diagonal_gaussian; it takes posterior=p"
    with pytest.raises(ValueError, match=message):
        AutoEncoder(FlatModel(make_network(), SquaredError()), Reconstruction())


@pytest.mark.parametrize(
    ("posterior", "given", "wanted"), [(PointPosterior(), 2, 1), (GaussianPosterior(), 1, 2)]
)
def test_the_number_of_parameters_of_a_latent_has_to_fit(
    posterior: Posterior, given: int, wanted: int, make_network: MakeNetwork
) -> None:
    message = f"network.parameters_per_latent={given}: {posterior.name} takes .* with {wanted}"
    with pytest.raises(ValueError, match=message):
        FlatModel(make_network(parameters_per_latent=given), SquaredError(), posterior)


def test_a_point_has_no_kl_that_mmd_could_weigh(make_network: MakeNetwork) -> None:
    with pytest.raises(ValueError, match="objective=mmd does not take posterior=point"):
        make_system(AutoEncoder, make_network(parameters_per_latent=1), "mmd", alpha=0.5)


def with_mixture(
    variant: type[BaseVAE], objective: Objective, make_network: MakeNetwork
) -> BaseVAE:
    """A system whose prior is a mixture that is trained."""
    point = variant is AutoEncoder
    posterior: Posterior = PointPosterior() if point else GaussianPosterior()
    network = make_network(parameters_per_latent=1 if point else 2)
    model = FlatModel(network, SquaredError(), posterior, MixturePrior(3, 4))
    return variant(model, objective)


@pytest.mark.parametrize(
    ("variant", "objective"),
    [
        (VAE, ELBO()),
        (VAE, WarmUp()),
        (BetaVAE, Beta()),
        (BetaVAE, Capacity()),
        (MMDInfoVAE, MMD(alpha=0.5)),
        (MMDInfoVAE, MMD(alpha=0.0, lambda_=1.0)),
    ],
)
def test_every_parameter_of_a_learned_prior_is_trained(
    variant: type[BaseVAE], objective: Objective, make_network: MakeNetwork
) -> None:
    system = with_mixture(variant, objective, make_network)
    prior = torch.randn(6, 3) if objective.draws_prior else None
    system.terms(torch.rand(6, 1, 8, 8), prior=prior).loss.mean().backward()
    for name, parameter in system.model.parts()["prior"].named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.norm() > 0, name


@pytest.mark.parametrize(
    ("variant", "objective", "instead"),
    [
        (AutoEncoder, Reconstruction(), "; it takes objective=elbo, "),
        (AutoEncoder, MMD(alpha=1.0), "; it takes objective=elbo, "),
        (MMDInfoVAE, MMD(alpha=1.0), ", and model=mmd_infovae takes no other; "),
    ],
)
def test_a_learned_prior_that_nothing_would_train_is_refused(
    variant: type[BaseVAE], objective: Objective, instead: str, make_network: MakeNetwork
) -> None:
    message = f"prior=mixture does not take objective={objective.name}{instead}"
    # Of codes there are none, and so no prior of codes will do.
    ending = r"choose prior=standard_normal(, or another model)?\.$"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}.*{ending}"):
        with_mixture(variant, objective, make_network)


@pytest.mark.parametrize(("alpha", "lambda_"), [(1.0, 0.0), (1.0, 2.0), (0.5, 0.5), (0.5, 2.0)])
def test_mmd_provides_what_its_loss_holds(
    alpha: float, lambda_: float, make_network: MakeNetwork
) -> None:
    objective = MMD(alpha, lambda_)
    assert ("rate" in objective.provides) == (alpha != 1)
    assert ("divergence" in objective.provides) == (alpha != 1 or alpha + lambda_ > 1)
    model = FlatModel(make_network(), SquaredError())
    if "divergence" in objective.provides:
        assert LaggingVAE(model, objective, Lagging()).name == "lagging"
    else:
        with pytest.raises(ValueError, match="model=lagging does not take objective=mmd"):
            LaggingVAE(model, objective, Lagging())

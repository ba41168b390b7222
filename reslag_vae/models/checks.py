"""The refusal of parts of a model that do not fit each other, in words that name the option."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reslag_vae._runtime.errors import first_line
from reslag_vae.latents import CodePosterior, LevelPosterior, Posterior, Prior
from reslag_vae.likelihoods import Likelihood
from reslag_vae.models.condition import Condition
from reslag_vae.networks import Network, TwoGridNetwork

# Networks of hierarchies, each of a model that takes no other
HIERARCHIES = (
    "network=ladder is that of model=ladder_vae, network=residual_deep that of model=reslag_deep, "
    "network=biva that of model=biva, network=vdvae that of model=vdvae"
)


def check_levels(network: Network, levels: int) -> None:
    """Refuse a network of another number of levels of latents than the model has.

    Raises:
        ValueError: the message names the option.
    """
    if len(network.level_dims) != levels:
        raise ValueError(
            f"network={network.name}: is a network of {len(network.level_dims)} level(s) of "
            f"latents, and the model has {levels}; network=shared is that of model=pixelvae_pp, "
            f"network=two_grids that of model=vq_vae_2, {HIERARCHIES}."
        )


def check_flat(network: Network) -> None:
    """Refuse the network of a hierarchy, also of one level, for a model that is none.

    Raises:
        ValueError: the message names the option.
    """
    check_levels(network, 1)
    if "hierarchy" in network.provides:
        raise ValueError(
            f"network={network.name}: has the passes of a hierarchy, which the model is not; "
            f"{HIERARCHIES}."
        )


def check_shapes(
    network: Network, likelihood: Likelihood, posterior: Posterior, prior: Prior, levels: int = 1
) -> None:
    """Refuse parts of a model whose shapes differ.

    Args:
        network: network of as many levels of latents as the model has.
        likelihood: p(x|z).
        posterior: q(z|x) of the top level.
        prior: p(z) of the top level.
        levels: number of the model's levels.

    Raises:
        ValueError: the message names the option.
    """
    check_levels(network, levels)
    if "grid" in posterior.requires - network.provides:
        raise ValueError(f"network={network.name}: posterior={posterior.name} takes network=grid.")
    if network.grid is not None and isinstance(posterior, CodePosterior):
        check_code_dim(posterior, network.latent_dim // math.prod(network.grid))
    if not likelihood.parameters_per_channel:
        raise ValueError(
            "likelihood.parameters_per_channel=0: leaves the latents out, as model=pixelcnn does; "
            "take at least 1."
        )
    wanted: Sequence[tuple[str, Any, Any]] = (
        ("parameters_per_latent", posterior.parameters_per_latent, posterior.name),
        ("parameters_per_channel", likelihood.parameters_per_channel, likelihood.name),
    )
    for option, number, part in wanted:
        given = getattr(network, option)
        if given != number:
            raise ValueError(f"network.{option}={given}: {part} takes a network with {number}.")
    if prior.latent_dim != network.level_dims[0]:
        raise ValueError(
            f"prior.latent_dim={prior.latent_dim}: must be that of the network, "
            f"{network.level_dims[0]}."
        )
    shape = getattr(prior, "image_shape", network.image_shape)
    if shape != network.image_shape:
        raise ValueError(
            f"prior.image_shape={list(shape)}: must be that of the network, "
            f"{list(network.image_shape)}."
        )


def check_condition(network: Network, posterior: Posterior, condition: Condition | None) -> None:
    """Refuse a condition that the network's decoder is not given, or whose latents are a grid.

    Raises:
        ValueError: the message names the option.
    """
    count = 0 if condition is None else condition.count
    if count and network.grid is not None:
        raise ValueError(
            f"condition={condition.kind if condition else None}: posterior={posterior.name} with "
            "network=grid takes none; leave condition out."
        )
    if network.conditions != count:
        raise ValueError(
            f"network.conditions={network.conditions}: must be the number of names of the "
            f"condition, {count}."
        )


def check_hierarchy(network: Network, posterior: Posterior, bidirectional: bool) -> None:
    """Refuse a network without the passes of the model, and a posterior that is not of levels.

    Args:
        network: the network.
        posterior: the posterior.
        bidirectional: whether the pass upwards infers latents.

    Raises:
        ValueError: the message names the option.
    """
    if bidirectional and "bidirectional" not in network.provides:
        raise ValueError(
            f"network={network.name}: infers no latents on its way up; choose network=biva."
        )
    if "hierarchy" not in network.provides:
        raise ValueError(
            f"network={network.name}: has no levels that are generated one given the other; "
            f"{HIERARCHIES}."
        )
    if not bidirectional and "bidirectional" in network.provides:
        raise ValueError(
            f"network={network.name}: infers latents on its way up, as model=biva does; "
            f"{HIERARCHIES}."
        )
    if not isinstance(posterior, LevelPosterior):
        raise ValueError(
            f"posterior={posterior.name}: gives no prior of a level given those above it; choose "
            "posterior=precision_weighted or posterior=diagonal_gaussian, or posterior=bernoulli "
            "with prior=boltzmann."
        )


def check_prior_of_images(prior: Prior, reason: str) -> None:
    """Refuse a prior that is made of an encoder, for a model whose encoder takes more than images.

    Priors of codes are made of the codes alone: what they require refuses them.

    Args:
        prior: the prior.
        reason: what else the model's encoder takes.

    Raises:
        ValueError: the message names the option.
    """
    if type(prior).bind is not Prior.bind and "codes" not in prior.requires:
        raise ValueError(
            f"prior={prior.name}: is made of an encoder of images alone, and {reason} too; choose "
            "prior=flow, prior=mixture, prior=standard_normal or prior=two_stage with "
            "posterior=diagonal_gaussian, or prior=boltzmann with posterior=bernoulli."
        )


def check_codes(
    network: TwoGridNetwork,
    posteriors: tuple[Posterior, Posterior],
    priors: tuple[Prior, Prior],
) -> None:
    """Refuse posteriors and priors of the levels that are not of codes, do not fit, or are one.

    Raises:
        ValueError: the message names the option.
    """
    for name, (top, bottom) in {"posterior": posteriors, "prior": priors}.items():
        if top is bottom:
            raise ValueError(f"bottom_{name}: is that of the top; a {name} of its own is wanted.")
    for posterior in posteriors:
        if not isinstance(posterior, CodePosterior):
            raise ValueError(
                f"posterior={posterior.name}: both levels of the model are of codes; choose "
                "posterior=vq or posterior=fsq."
            )
        check_code_dim(posterior, network.code_dim)
    for prior in priors:
        if "code_mass" not in prior.provides:
            raise ValueError(
                f"prior={prior.name}: both levels of the model are of codes; choose a prior of "
                "codes, such as prior=uniform_codes."
            )


def check_code_dim(posterior: CodePosterior, code_dim: int) -> None:
    """Refuse codes whose vectors are not those of the positions of a grid.

    Args:
        posterior: posterior of the level.
        code_dim: numbers at each position.

    Raises:
        ValueError: the message names the option.
    """
    if posterior.code_dim != code_dim:
        raise ValueError(
            f"posterior.code_dim={posterior.code_dim}: must be network.code_dim, {code_dim}."
        )


@torch.no_grad()
def check_modules(network: Network) -> None:
    """Refuse an encoder or a decoder of the user's own that gives what nothing takes.

    Both see two black images, in evaluation mode: that changes nothing of them.

    Raises:
        ValueError: the message says what is wanted, and what is given.
    """
    channels, height, width = network.image_shape
    inputs = torch.zeros(2, channels, height, width)
    latents = torch.zeros(2, network.latent_dim + network.conditions)
    parameters = network.latent_dim * network.parameters_per_latent
    outputs = (channels * network.parameters_per_channel, height, width)
    meaning = "means, then log-variances" if network.parameters_per_latent == 2 else "codes"
    check_output("encoder", network.inference, inputs, (parameters,), meaning)
    meaning = "what the likelihood takes, before a sigmoid"
    check_output("decoder", network.generative, latents, outputs, meaning)


def check_output(
    name: str, module: nn.Module, inputs: Tensor, wanted: tuple[int, ...], meaning: str
) -> None:
    """Refuse a module that does not give (2, *wanted) numbers of two inputs.

    Raises:
        ValueError: it fails, or gives something else; the message says what it was given.
    """
    own = next((own for own in module.parameters() if own.is_floating_point()), None)
    inputs = inputs if own is None else inputs.to(own)
    training = module.training
    module.eval()
    try:
        given = module(inputs)
    except Exception as error:  # of the user's own code
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise ValueError(f"{name}: fails for inputs of {tuple(inputs.shape)}: {reason}") from None
    finally:
        module.train(training)
    shape = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
    if shape != (2, *wanted):
        raise ValueError(
            f"{name}: {(2, *wanted)} are wanted of inputs of {tuple(inputs.shape)} ({meaning}), "
            f"and it gives {shape}."
        )

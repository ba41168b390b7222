"""What a variant is made of where a person gives its network alone."""

from collections.abc import Callable

from reslag_vae.likelihoods import (
    DataVariance,
    Gaussian,
    LearnedVariance,
    Likelihood,
    OptimalVariance,
    SquaredError,
    UnitGaussian,
)
from reslag_vae.models import FlatModel
from reslag_vae.networks import Network
from reslag_vae.objectives import ELBO, MMD, Beta, LevelFreeBits, Objective, Reconstruction

Shape = tuple[int, int, int]

# By the choice of `objective=`, as in conf/objective: the likelihood that comes with it.
LIKELIHOODS: dict[str, Callable[[Shape], Likelihood]] = {
    "reconstruction": lambda _: SquaredError(),
    "beta": lambda _: SquaredError(),
    "mmd": lambda _: SquaredError(),
    "elbo": lambda _: UnitGaussian(),
    "sigma_data": lambda shape: Gaussian(DataVariance(shape)),
    "sigma_optimal": lambda shape: Gaussian(OptimalVariance(shape)),
    "sigma_learned": lambda shape: Gaussian(LearnedVariance(shape)),
}
OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "reconstruction": Reconstruction,
    "beta": Beta,
    "mmd": MMD,
    "level_free_bits": LevelFreeBits,
}


def usual_model(network: Network, preset: str) -> FlatModel:
    """Return the flat model of a network, with the likelihood of a choice of `objective=`.

    Raises:
        ValueError: that choice has no likelihood of its own, or the network is none of a flat
            model.
    """
    if preset not in LIKELIHOODS:
        raise ValueError(
            f"model: a network alone does not say all; give a model of it, as in "
            f"reslag_vae.models.FlatModel(network, likelihood), for objective={preset}."
        )
    return FlatModel(network, LIKELIHOODS[preset](network.image_shape))


def usual_objective(preset: str) -> Objective:
    """Return the objective of a choice of `objective=`."""
    return OBJECTIVES.get(preset, ELBO)()

"""Systems for tests: a variant with its parts, by the choices of the command line."""

from collections.abc import Callable, Iterable
from typing import Any

from reslag_vae.data.images import Batch
from reslag_vae.evaluation.epoch import evaluate
from reslag_vae.latents import GaussianPosterior, PointPosterior, Posterior
from reslag_vae.likelihoods import (
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
from reslag_vae.networks import Network
from reslag_vae.objectives import ELBO, MMD, Beta, Capacity, Objective, Reconstruction
from reslag_vae.objectives.averages import Means
from reslag_vae.training.optimizers import AdamSettings
from reslag_vae.training.schedules import Schedule
from reslag_vae.training.system import BaseVAE

# Of runs that are as small and short as they can be.
TINY = (
    "data=digits",
    "data.batch_size=128",
    "recipe.channels=[2,4]",
    "recipe.blocks=[1,1]",
    "trainer.accelerator=cpu",
    "logger=none",
)
QUICK = (
    "trainer.max_epochs=1",
    "+trainer.limit_train_batches=1",
    "trainer.num_sanity_val_steps=0",
    "callbacks.images=null",
    "callbacks.collapse=null",
    "callbacks.progress=null",
    "callbacks.curves=null",
)

Shape = tuple[int, int, int]

# What `objective=<name>` chooses.
OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "elbo": ELBO,
    "beta": Beta,
    "capacity": Capacity,
    "mmd": MMD,
    "reconstruction": Reconstruction,
    "sigma_data": ELBO,
    "sigma_optimal": ELBO,
    "sigma_learned": ELBO,
    "sigma_fixed": ELBO,
}
LIKELIHOODS: dict[str, Callable[[Shape], Likelihood]] = {
    "elbo": lambda shape: UnitGaussian(),
    "sigma_data": lambda shape: Gaussian(DataVariance(shape)),
    "sigma_optimal": lambda shape: Gaussian(OptimalVariance(shape)),
    "sigma_learned": lambda shape: Gaussian(LearnedVariance(shape)),
    "sigma_fixed": lambda shape: Gaussian(FixedVariance(0.05)),
}


def make_likelihood(choice: str, shape: Shape) -> Likelihood:
    """The likelihood that `objective=<choice>` gives."""
    return LIKELIHOODS.get(choice, lambda _: SquaredError())(shape)


def make_model(
    network: Network, choice: str = "elbo", likelihood: Likelihood | None = None
) -> FlatModel:
    """A flat model with the posterior that the network is for.

    Its likelihood is that of `objective=<choice>` if none is given.
    """
    point = network.parameters_per_latent == 1
    posterior: Posterior = PointPosterior() if point else GaussianPosterior()
    own = make_likelihood(choice, network.image_shape) if likelihood is None else likelihood
    return FlatModel(network, own, posterior)


def make_system(
    variant: type[BaseVAE],
    network: Network,
    choice: str | None = None,
    schedule: Schedule | None = None,
    optimizer: AdamSettings | None = None,
    likelihood: Likelihood | None = None,
    **options: Any,
) -> BaseVAE:
    """A variant with `objective=<choice>`, its usual one by default, and its options."""
    choice = choice or variant.usual
    objective = OBJECTIVES[choice](**options)
    model = make_model(network, choice, likelihood)
    return variant(model, objective, schedule, optimizer)


def network_of(system: BaseVAE) -> Network:
    """The network of a flat model."""
    assert isinstance(system.model, FlatModel)
    return system.model.network


def measured(system: BaseVAE, batches: Iterable[Batch]) -> dict[str, float]:
    """The metrics of an evaluation of all batches."""
    epoch = evaluate(system.model, system.objective, batches)
    return epoch.metrics(float(system.train_mse))


class Fed:
    """Gives the validations of a system in training the values of lists, one after the other."""

    def __init__(self, system: BaseVAE, **values: list[float]) -> None:
        self.original = system._log
        self.values = {name: iter(own) for name, own in values.items()}
        system._log = self  # type: ignore[method-assign]

    def __call__(self, split: str, metrics: dict[str, float], means: Means) -> None:
        if split == "val":
            metrics = metrics | {name: next(own) for name, own in self.values.items()}
        self.original(split, metrics, means)

"""The configuration of a second stage, which trains the prior of a run's model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.runs.errors import RunError
from reslag_vae.training.stored_config import begun_config

# What a second stage has from its run, and of these what the command line may set all the same.
TAKEN = ("recipe", "network", "posterior", "likelihood", "data")
OWN = ("data.root", "data.folder", "data.batch_size")


def is_second_stage(config: DictConfig) -> bool:
    """Return whether a configuration is that of a run which begins with another one's model."""
    return "run" in config


def second_stage(config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Return the configuration of a second stage, which has model and data of its run.

    Args:
        config: configuration that Hydra has composed.
        overrides: overrides of the command line.

    Raises:
        ConfigError: no run is named, or an override would change what the run's model is.
        RunError: the folder holds no run, or one of a model without latents.
    """
    if config.run is None:
        raise ConfigError("run=null: name the folder of the run to begin with, run=runs/my_run.")
    folder = Path(config.run).expanduser()
    first = begun_config(folder)
    node = first.model.model
    if not priors_of(node):
        raise RunError(f"{folder}: its model has no latents, and so no prior to fit.")
    refuse_changes(config, first, overrides)
    given = {
        key: config.data[key] for key in ("root", "folder", "batch_size") if key in config.data
    }
    staged = config.copy()
    with open_dict(staged):
        for part in TAKEN:
            staged[part] = first[part]
        for name in OWN:
            key = name.removeprefix("data.")
            if name == "data.batch_size" or any(own.startswith(f"{name}=") for own in overrides):
                staged.data[key] = given[key]
        if "trained_with" in staged.objective:
            staged.objective.trained_with = trained_with(first)
        staged.model.objective = staged.objective
        staged.model.model = node
        for name in priors_of(node):
            staged.model.model[name] = staged.prior
    return staged


def priors_of(node: DictConfig) -> list[str]:
    """Return the names of a model's options that are priors."""
    return [str(name) for name in node if str(name) == "prior" or str(name).endswith("_prior")]


def trained_with(first: DictConfig) -> Any:
    """Return the node of the objective that a run's model was trained with."""
    own = first.model.objective
    # A second stage of its own keeps it.
    return own.trained_with if "trained_with" in own else own


def refuse_changes(config: DictConfig, first: DictConfig, overrides: Sequence[str]) -> None:
    """Refuse overrides of what a second stage has from its run.

    Raises:
        ConfigError: the message names the override.
    """
    for own in overrides:
        name = own.lstrip("+~").partition("=")[0]
        if name == "data" and config.data._target_ == first.data._target_:
            continue
        if name.partition(".")[0] in TAKEN and name not in OWN:
            raise ConfigError(
                f"{own}: cannot be set beside run=, whose model and data these are; the prior, the "
                "optimizer, trainer.max_epochs and data.batch_size can."
            )

"""The configuration of a second stage, which trains the prior of a run's model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict

from reslag_vae._runtime.errors import ConfigError
from reslag_vae._runtime.terminal import override
from reslag_vae.runs.config import (
    RUN_MODULES,
    RUN_TARGETS,
    check_trust,
    foreign_target,
    plain,
    refusal,
)
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import config_path, is_finished
from reslag_vae.training.stored_config import begun_config
from reslag_vae.training.unread import name_of

# What a second stage has from its run; that is in its model's node alone; and of all these what the
# command line may set all the same.
TAKEN = ("recipe", "network", "posterior", "likelihood", "data")
IN_ITS_NODE = ("condition", "model")
OWN = ("data.root", "data.folder", "data.batch_size")


def is_second_stage(config: DictConfig) -> bool:
    """Return whether a configuration is that of a run which begins with another one's model."""
    return "run" in config


def staged(config: DictConfig, overrides: Sequence[str], folder: Path) -> DictConfig:
    """Return a configuration as it is, or if it is a second stage's with what its run gives.

    Args:
        config: configuration that Hydra has composed.
        overrides: overrides of the command line.
        folder: folder of the job.

    Raises:
        ConfigError: no run is named, or an override would change what the run's model is.
        RunError: the folder holds no finished run, or one of a model without latents.
    """
    if not is_second_stage(config):
        return config
    if config.run is None:
        raise ConfigError("run=null: name the folder of the run to begin with, run=runs/my_run.")
    return second_stage(config, overrides, first_folder(config, folder))


def first_folder(config: DictConfig, folder: Path) -> Path:
    """Return the folder of the run that a second stage begins with, as an absolute path.

    In a study a name without a slash is that of a row: of its run on the same data, and by the same
    seed.

    Args:
        config: configuration of the second stage.
        folder: folder of the job.
    """
    given = Path(config.run).expanduser()
    if config.study is None or len(given.parts) > 1:
        return given.absolute()
    return (folder.parent.parent / given / folder.name).absolute()


def second_stage(config: DictConfig, overrides: Sequence[str], folder: Path) -> DictConfig:
    """Return the configuration of a second stage, which has model and data of its run.

    Args:
        config: configuration that Hydra has composed.
        overrides: overrides of the command line.
        folder: folder of the run that it begins with.

    Raises:
        ConfigError: an override would change what the run's model is.
        RunError: the folder holds no finished run, one of a model without latents, or one that is
            made of classes and functions that are neither this package's nor trusted.
    """
    first = begun_config(folder)
    if not is_finished(folder):
        raise RunError(f"{folder} has not finished: {override('resume', folder)} goes on with it.")
    refuse_foreign(first, folder, check_trust(plain(config.trust)))
    node = first.model.model
    if not priors_of(node):
        raise RunError(f"{folder}: its model has no latents, and so no prior to fit.")
    refuse_changes(config, first, overrides)
    second = config.copy()
    with open_dict(second):
        second.run = str(folder)
        for part in TAKEN:
            second[part] = first[part]
        second.data.batch_size = config.data.batch_size
        for key in ("root", "folder"):
            if any(own.lstrip("+").startswith(f"data.{key}=") for own in overrides):
                second.data[key] = config.data[key]
        if "trained_with" in second.objective:
            second.objective.trained_with = trained_with(first)
        second.model.objective = second.objective
        second.model.model = node
        for name in priors_of(node):
            second.model.model[name] = second.prior
    return second


def refuse_foreign(first: DictConfig, folder: Path, trust: tuple[str, ...]) -> None:
    """Refuse a run whose configuration would build what is neither this package's nor trusted.

    Raises:
        RunError: the message names it.
    """
    foreign = foreign_target(plain(first), RUN_MODULES, trust, RUN_TARGETS)
    if foreign is not None:
        raise RunError(f"{config_path(folder)} is not begun with: {refusal(foreign)}")


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
        name = name_of(own)
        if name == "data" and config.data._target_ == first.data._target_:
            continue
        if name == "model" or (name == "condition" and config.condition is None):
            continue
        if name.partition(".")[0] in (*TAKEN, *IN_ITS_NODE) and name not in OWN:
            raise ConfigError(
                f"{own}: cannot be set beside run=, whose model and data these are; the prior, the "
                "optimizer, trainer.max_epochs and data.batch_size can."
            )

"""The length of a run that is counted in updates, in epochs of the data that it has.

A recipe may leave its epochs open (null) and say how many updates of the decoder a run makes, one
for each minibatch. How many epochs these are is known once the data are read. An epoch, at whose
end a run is validated, drawn and saved, is then several passes over data that are few.
"""

import math
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.options.table import TRAIN

# A run has so many epochs, if a pass over the data is no longer than one of them; else fewer.
EPOCHS, FEWEST_EPOCHS = 40, 5

# Unless a recipe says how many, one of so many updates is aggressive.
UPDATES_PER_AGGRESSIVE = 10

# Options that the length depends on, and those that are settled by the data, where they are null.
COUNTS = ("data.batch_size", "recipe.updates")
OPEN = (
    "trainer.max_epochs",
    "recipe.max_epochs",
    "recipe.aggressive_updates",
    "recipe.aggressive_epochs",
    "data.passes",
)


def at_most_half(epochs: Any, of_run: Any) -> Any:
    """Return the length of the phase that a run begins with: that of its recipe, or half the run.

    It is a resolver of the configuration, of defaults alone: a phase that is asked for is not
    shortened, and refused where the run is shorter.

    Args:
        epochs: epochs of the phase.
        of_run: epochs of the run, of whose half, rounded up, the phase has no more; what is no
            number of epochs, such as the null of a run that is counted in updates, leaves the phase
            as it is.
    """
    counted = type(epochs) is int and type(of_run) is int and of_run > 0
    return min(epochs, math.ceil(of_run / 2)) if counted else epochs


OmegaConf.register_new_resolver("at_most_half", at_most_half, replace=True)


def is_open(config: DictConfig) -> bool:
    """Return whether the length of a configuration's run depends on the number of its images."""
    counted = OmegaConf.select(config, "recipe.updates") is not None
    return counted and any(OmegaConf.select(config, name) is None for name in OPEN)


def settled(config: DictConfig, images: int) -> DictConfig:
    """Return a configuration whose length is in epochs.

    What the configuration sets itself stays: the epochs, of which the aggressive phase then has its
    share, and the passes of an epoch.

    Args:
        config: configuration of the run.
        images: number of training images.

    Raises:
        ConfigError: an option on which the length depends is out of its range.
    """
    if not is_open(config):
        return config
    check_given(config)
    own = config.copy()
    updates = own.recipe.updates
    batches = math.ceil(images / own.data.batch_size)
    counted = own.trainer.max_epochs is None
    with open_dict(own):
        if own.data.passes is None:
            own.data.passes = math.ceil(updates / EPOCHS / batches) if counted else 1
        if own.recipe.max_epochs is None:
            of_epoch = own.data.passes * batches
            epochs = max(FEWEST_EPOCHS, math.ceil(updates / of_epoch))
            own.recipe.max_epochs = epochs if counted else own.trainer.max_epochs
        if own.trainer.max_epochs is None:
            own.trainer.max_epochs = own.recipe.max_epochs
        if own.recipe.get("aggressive_updates") is None:
            own.recipe.aggressive_updates = updates // UPDATES_PER_AGGRESSIVE
        if own.recipe.aggressive_epochs is None:
            share = min(1.0, own.recipe.aggressive_updates / updates)
            own.recipe.aggressive_epochs = round(share * own.trainer.max_epochs)
    return own


def check_given(config: DictConfig) -> None:
    """Refuse values that no length can be computed of.

    Raises:
        ConfigError: an option is out of its range; the message names it.
    """
    for name in (*COUNTS, *OPEN):
        value = OmegaConf.select(config, name)
        if value is not None or name in COUNTS:
            try:
                TRAIN[name].require(name, plain(value))
            except ValueError as error:
                raise ConfigError(str(error)) from None


def plain(value: Any) -> Any:
    """Return a value of a configuration in plain containers."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def as_begun(config: DictConfig, begun: Any) -> DictConfig:
    """Return a configuration whose open length is that of the run that was begun with it.

    Args:
        config: configuration that is asked for.
        begun: configuration of the run.
    """
    if not is_open(config):
        return config
    own = config.copy()
    with open_dict(own):
        for name in OPEN:
            if OmegaConf.select(own, name) is None:
                OmegaConf.update(own, name, OmegaConf.select(begun, name))
    return own

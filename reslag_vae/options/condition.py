"""What a conditional run's model is told of an image, whose names the data bring."""

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from reslag_vae._runtime.errors import ConfigError, config_errors
from reslag_vae.options.kinds import shown
from reslag_vae.options.table import TRAIN

# Names that stand for those of the data until these are read.
UNKNOWN = ("?", "??")


def condition_of(config: DictConfig) -> Any:
    """Return the node of what the model of a run is told; None if it is told nothing.

    Args:
        config: configuration of the run, whose model may be made by hand.

    Raises:
        ConfigError: a condition is chosen for a model that takes none.
    """
    chosen = config.get("condition")
    node = OmegaConf.select(config, "model.model.condition")
    if chosen is not None and not isinstance(chosen, DictConfig):
        raise ConfigError(f"condition={shown(chosen)}: must be none, label or attributes.")
    if chosen is not None and node is None:
        raise ConfigError(
            f"condition={chosen.get('kind')}: this model takes none; those of one level of "
            "numbers do, such as model=reslag_light, optimal_sigma, vae or pixelvae."
        )
    return node


def named(config: DictConfig, names: Sequence[str] = UNKNOWN) -> DictConfig:
    """Return a configuration whose condition has names, and whose network is made for these.

    Args:
        config: configuration of the run.
        names: names that the condition takes where it has none of its own.

    Raises:
        ConfigError: the names are none, or the network is made for another number of them.
    """
    chosen = config.get("condition")
    if chosen is None:
        return config
    known = chosen.names is not None or names is not UNKNOWN
    own = config.copy()
    with open_dict(own):
        if own.condition.names is None:
            own.condition.names = list(names)
        found, inputs = own.condition.names, own.network.conditions
        with config_errors():
            plain = list(found) if isinstance(found, ListConfig) else found
            TRAIN["condition.names"].require("condition.names", plain)
        count = len(found)
        if known and inputs not in (None, count):
            raise ConfigError(
                f"network.conditions={shown(inputs)}: is the number of names of the condition, "
                f"{count}; leave it out."
            )
        own.network.conditions = count
    return own

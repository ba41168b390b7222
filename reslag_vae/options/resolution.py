"""A composed configuration in plain containers, or the option that still needs a value."""

import re
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from reslag_vae._runtime.errors import ConfigError, first_line
from reslag_vae.options.kinds import shown
from reslag_vae.options.table import ASKED, NEEDED

# By an option that refers to another one: what to choose where that is not there.
INSTEAD = {"prior.latent_dim": "; a grid of codes takes prior=uniform_codes or prior=pixelcnn"}


def resolved(config: DictConfig) -> dict[str, Any]:
    """Return a configuration in plain containers, with its interpolations resolved.

    Raises:
        ConfigError: an option has no value, or refers to an option that does not exist.
    """
    try:
        missing = sorted(
            map(str, OmegaConf.missing_keys(config)), key=lambda name: name not in ASKED
        )
        if missing:
            raise ConfigError(needed(missing[0], config))
        tree = OmegaConf.to_container(config, resolve=True)
    except InterpolationKeyError as error:
        wanted = str(error).partition("'")[2].partition("'")[0]
        if wanted.partition(".")[0] in (*NEEDED, "recipe"):  # which comes with the data
            refuse_absent(config)
        instead = INSTEAD.get(f"{error.full_key}", "")
        raise ConfigError(
            f"{error.full_key}: is that of {wanted}, and there is no such option in what was "
            f"chosen{instead}."
        ) from None
    except OmegaConfBaseException as error:
        empty = re.search(r"Missing mandatory value: (\S+)", str(error))
        if empty:
            raise ConfigError(needed(empty[1], config)) from None
        raise ConfigError(f"{error.full_key}: {first_line(error)}") from None
    assert isinstance(tree, dict), "a configuration has names"
    return {str(name): value for name, value in tree.items()}


def refuse_absent(tree: Mapping[Any, Any]) -> None:
    """Refuse a configuration without a group that a run needs.

    Raises:
        ConfigError: the message names the group.
    """
    for group in NEEDED:
        if not isinstance(tree.get(group), Mapping):
            raise ConfigError(
                f"{group}={shown(tree.get(group))}: a run needs it; choose one by {group}=name."
            )


def needed(name: str, config: DictConfig) -> str:
    """Return the sentence that names an option which has no value and needs one."""
    of_data = name.startswith(("data.", "recipe."))
    chosen = snake(str(config.get("data", {}).get("_target_", ""))) if of_data else ""
    who = f"data={chosen}" if chosen else "This command"
    example = ASKED.get(f"{name} of {chosen}") or ASKED.get(name, f"{name}=...")
    return f"{who} needs {example}."


def snake(target: str) -> str:
    """Return a class name in snake case: `fashion_mnist` for `reslag_vae.data.FashionMNIST`."""
    name = target.rpartition(".")[2]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][A-Za-z])", "_", name).lower()

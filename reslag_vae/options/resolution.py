"""A composed configuration in plain containers, or the option that still needs a value."""

from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from reslag_vae._runtime.errors import ConfigError, first_line
from reslag_vae.options.table import ASKED


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
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {first_line(error)}") from None
    assert isinstance(tree, dict), "a configuration has names"
    return {str(name): value for name, value in tree.items()}


def needed(name: str, config: DictConfig) -> str:
    """Return the sentence that names an option which has no value and needs one."""
    chosen = str(config.get("data", {}).get("_target_", "")) if name.startswith("data.") else ""
    who = f"data={snake(chosen)}" if chosen else "This command"
    return f"{who} needs {ASKED.get(name, f'{name}=...')}."


def snake(target: str) -> str:
    """Return a class name in snake case: `image_folder` for `reslag_vae.data.ImageFolder`."""
    name = target.rpartition(".")[2]
    words = [f"_{letter.lower()}" if letter.isupper() else letter for letter in name]
    return "".join(words).lstrip("_")

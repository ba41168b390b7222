"""The configuration of a resumed run, in which only a few options may change."""

from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from reslag_vae._runtime.errors import ConfigError, first_line
from reslag_vae.runs.config import RUN_MODULES, RUN_TARGETS, foreign_target, plain, refusal
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import config_path
from reslag_vae.training.stored_config import begun_config

# What may differ in a resumed run: where and how long it runs, not what it is.
NO_LOGGER = "logger=none"
RESUMABLE = (
    "trainer.",
    "logger.",
    NO_LOGGER,
    "data.root=",
    "data.folder=",
    "trust=",
    "changed_data=",
)

# Parts of a run that may take so many of its epochs.
PARTS_WITH_A_LENGTH = ("schedule", "objective")


def resumed(folder: Path, overrides: list[str], trust: tuple[str, ...] = ()) -> DictConfig:
    """Return the configuration of a resumed run: the one that it was begun with, and overrides.

    Args:
        folder: folder of the run.
        overrides: overrides of the command line.
        trust: modules of the user's own, and names in them, that the run may be made of.

    Raises:
        RunError: the folder holds no run, or a run that is made of classes and functions that are
            neither this package's nor trusted.
        ConfigError: an override would make it another run, or too short a one, or names an option
            that it does not have.
    """
    changes = [own.lstrip("+") for own in overrides if not own.startswith("resume=")]
    fixed = [change for change in changes if not change.startswith(RESUMABLE)]
    if fixed:
        raise ConfigError(
            f"{' '.join(fixed)} cannot be set beside resume=: a resumed run keeps its "
            "configuration. Only trainer.*, logger.*, logger=none, data.root, data.folder, "
            "changed_data and trust may change."
        )
    config = begun_config(folder)
    foreign = foreign_target(plain(config), RUN_MODULES, trust, RUN_TARGETS)
    if foreign is not None:
        raise RunError(f"{config_path(folder)} is not resumed: {refusal(foreign)}")
    for own in overrides:
        apply_override(config, own)
    check_length(config)
    return config


def check_length(config: DictConfig) -> None:
    """Refuse a resumed run that is shorter than its schedule, or what rises in its objective.

    A new run may shorten these.

    Raises:
        ConfigError: the message says how long it must be.
    """
    length = config.trainer.get("max_epochs")
    for part in PARTS_WITH_A_LENGTH:
        least = OmegaConf.select(config, f"{part}.epochs")
        if not str(OmegaConf.select(config, f"{part}._target_")).startswith("reslag_vae."):
            continue  # what epochs are to a part of the user's own nobody knows
        if isinstance(length, int) and isinstance(least, int) and 0 < length < least:
            raise ConfigError(
                f"trainer.max_epochs={length}: a resumed run keeps its {part}.epochs={least}, and "
                f"cannot be shorter; give {least} or more."
            )


def apply_override(config: DictConfig, override: str) -> None:
    """Set one option of a resumed run.

    Args:
        config: configuration of the run, which is changed.
        override: override of the command line. `+` before its name adds an option that the run
            does not have.

    Raises:
        ConfigError: the run has no such option, or the option cannot have such a value.
    """
    change = override.lstrip("+")
    if change.startswith("resume="):
        return
    if change == NO_LOGGER:
        config.logger = None
        return
    name, _, value = change.partition("=")
    OmegaConf.set_struct(config, change == override)
    try:
        OmegaConf.update(config, name, value_of(change))
    except OmegaConfBaseException as error:
        if error.full_key and OmegaConf.select(config, name) is None:
            raise ConfigError(f"{name}: the run has no such option.") from None
        raise ConfigError(f"{name}={value}: {first_line(error)}") from None


def value_of(override: str) -> Any:
    """Return the value of an override, as Hydra's grammar has it.

    Raises:
        ConfigError: it cannot be read, or it is several.
    """
    try:
        (parsed,) = OverridesParser.create().parse_overrides([override])
    except OverrideParseException:
        raise ConfigError(
            f"{override}: cannot be read; a value with spaces, commas, brackets or other letters "
            "than a-z stands in quotes: data.root='/p/Photos (1)'."
        ) from None
    if parsed.is_sweep_override():
        raise ConfigError(f"{override}: takes one value.")
    return parsed.value()

"""The configuration of a run, composed in Python from the words of the command line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any, NamedTuple

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from reslag_vae import options
from reslag_vae._runtime.errors import ConfigError
from reslag_vae._runtime.invocation import configuration_folder
from reslag_vae._runtime.terminal import quoted
from reslag_vae.cli.sentences import did_you_mean, is_group, sentence

# Hydra has one state for the whole process.
ONE_AT_A_TIME = RLock()

# Words that Hydra does not take for text.
PLAIN = re.compile(r"(?!(null|true|false|inf|nan)$)[A-Za-z_][\w.]*", re.IGNORECASE)

# Options of the command line alone, and what to do instead.
ELSEWHERE = {
    "experiment": "a study is started on the command line, by reslag train experiment=...",
    "study": "a study is started on the command line, by reslag train experiment=...",
    "hydra": "the run's folder is named by folder=",
    "resume": "takes no pictures: reslag_vae.fit(resume=...)",
}


class Composed(NamedTuple):
    """A composed configuration.

    Attributes:
        config: the configuration, without Hydra's own node.
        choices: choice of each group.
    """

    config: DictConfig
    choices: dict[str, str]


def composed(overrides: Sequence[str]) -> Composed:
    """Return the configuration of `reslag train <overrides>`.

    Whatever of Hydra's runs in this process, a job of its own for one, is left as it is.

    Args:
        overrides: overrides, as on the command line.

    Raises:
        ConfigError: there is no such option or choice; the message says which is meant.
    """
    words = options.renamed(check_overrides(overrides))
    try:
        with (
            ONE_AT_A_TIME,
            without_hydra(),
            initialize_config_dir(str(configuration_folder()), version_base="1.3"),
        ):
            config = compose("train", words, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        several = re.search(r"Ambiguous value for argument '(.*?)'", str(error))
        if several:
            raise ConfigError(f"{several[1]}: takes one value; call it once for each.") from None
        raise ConfigError(sentence(error, words)) from None
    choices = {str(name): str(own) for name, own in config.hydra.runtime.choices.items()}
    with open_dict(config):
        del config["hydra"]
    return Composed(config, choices)


@contextmanager
def without_hydra() -> Iterator[None]:
    """Put Hydra's state aside within the context."""
    state = GlobalHydra.instance()
    before, state.hydra = state.hydra, None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = before


def check_overrides(overrides: Sequence[Any]) -> list[str]:
    """Return overrides that are fit for a run in Python.

    Raises:
        ConfigError: one is no text of the form name=value, or of the command line alone.
    """
    for own in overrides:
        if not isinstance(own, str) or "=" not in own:
            raise ConfigError(
                f"{own!r}: overrides are texts of the form name=value, as in 'data.batch_size=64'."
            )
        name = own.lstrip("+~").partition("=")[0].partition(".")[0].partition("/")[0]
        if name in ELSEWHERE:
            raise ConfigError(f"{own}: {ELSEWHERE[name]}.")
    return list(overrides)


def as_overrides(choices: Mapping[str, Any]) -> list[str]:
    """Return keyword arguments as overrides.

    Args:
        choices: values by the name of a group or an option.

    Raises:
        ConfigError: there is no such option.
    """
    for name in choices:
        if name not in ELSEWHERE and not is_group(name) and not options.is_known(name):
            near = did_you_mean(name)
            meant = near.removeprefix("; did you mean ")
            if "." in meant:
                near = f"; write '{meant}=...', as a text after the pictures"
            raise ConfigError(f"{name}: there is no such keyword{near}.")
    return overrides_of(choices)


def overrides_of(values: Mapping[str, Any]) -> list[str]:
    """Return values by the names of options as overrides."""
    return [f"{name}={literal(value)}" for name, value in values.items()]


def literal(value: Any) -> str:
    """Return a value as Hydra's grammar has it; a number of numpy's is one of Python's."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{','.join(map(literal, value))}]"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return text if PLAIN.fullmatch(text) else quoted(text)

"""The trackers that the node `logger` of a configuration describes: one, or several."""

import inspect
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime.errors import ConfigError, first_line
from reslag_vae.runs.build import instantiate
from reslag_vae.runs.config import plain
from reslag_vae.runs.lightning_tracker import LightningTracker
from reslag_vae.runs.tracking import Tracker

log = logging.getLogger(__name__)


def logger_nodes(node: DictConfig | None) -> dict[str, DictConfig]:
    """Return the nodes of a configuration's loggers by their options' path.

    The node `logger` is one itself if it names its class, which is W&B's; others lie in it under
    names of their own.
    """
    if not node:
        return {}
    inner = {
        str(name): child
        for name, child in node.items()
        if OmegaConf.is_dict(child) and "_target_" in child
    }
    nodes = {f"logger.{name}": child for name, child in inner.items()}
    if "_target_" in node:
        own = {str(name): value for name, value in node.items() if name not in inner}
        nodes = {"logger": OmegaConf.create(own)} | nodes
    return nodes


def constructor_of(path: str, node: DictConfig) -> "partial[Any]":
    """Return the constructor of a logger, with the options that its node states.

    Raises:
        ConfigError: there is no such class, or it has no such option.
    """
    own = OmegaConf.create({**plain(node), "_partial_": True})
    made: partial[Any] = instantiate(own)
    taken = inspect.signature(made.func).parameters
    if any(own.kind is inspect.Parameter.VAR_KEYWORD for own in taken.values()):
        return made
    for name in made.keywords:
        if name not in taken:
            raise ConfigError(f"{path}.{name}: there is no such option in what was chosen.")
    return made


def check_loggers(node: DictConfig | None) -> None:
    """Refuse loggers that cannot be built; nothing is written.

    Raises:
        ConfigError: there is no such class, or it has no such option.
    """
    for path, child in logger_nodes(node).items():
        constructor_of(path, child)


def build_trackers(node: DictConfig | None, folder: Path, config: dict[str, Any]) -> list[Tracker]:
    """Return the trackers of a run.

    A logger that does not start is a line in the log, and the run goes on without.

    Args:
        node: the configuration's `logger`.
        folder: folder of the run, where loggers leave their files, each below its own name.
        config: values by flat name, which every tracker gets.
    """
    found = []
    for path, child in logger_nodes(node).items():
        own = folder / path.rpartition(".")[2]
        places = {"folder": folder, "config": config, "save_dir": str(own)}
        tracker = started(constructor_of(path, child), places)
        if tracker is not None:
            found.append(tracker)
    return found


def started(constructor: "partial[Any]", offered: Mapping[str, Any]) -> Tracker | None:
    """Return the tracker that a constructor makes; None if it fails.

    Args:
        constructor: constructor of a logger.
        offered: further arguments by name, of which it gets those that it has and that are not
            stated.
    """
    taken = inspect.signature(constructor.func).parameters
    given = {
        name: value
        for name, value in offered.items()
        if name in taken and name not in constructor.keywords
    }
    try:
        logger = constructor(**given)
    except Exception as error:  # its package may be missing, or a server not be there
        title = getattr(constructor.func, "__name__", "The logger")
        log.warning(
            "%s does not start (%s): the run goes on without, and its folder gets everything.",
            title,
            first_line(error),
        )
        return None
    if isinstance(logger, Tracker):
        return logger
    tracker = LightningTracker(logger)
    tracker.log_hyperparams(offered["config"])
    return tracker

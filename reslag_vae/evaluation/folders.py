"""The folders of the runs that an evaluation is asked for."""

import glob
import logging
import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CONFIG_FILE, evaluation_file, read_result
from reslag_vae.runs.formats import read_json

log = logging.getLogger(__name__)


def folders_to_evaluate(config: DictConfig) -> list[Path]:
    """Return the folders of the runs that are evaluated by this command.

    With `skip_evaluated` these are the finished ones that have no evaluation of the checkpoint's
    epoch yet.

    Raises:
        ConfigError: there is no run, or a pattern matches none.
    """
    found = named_folders(config)
    if not config.skip_evaluated:
        return found
    finished = [path for path in found if read_result(path)]
    left = [path for path in finished if not is_evaluated(path, config.split, config.checkpoint)]
    log.info(
        "%d runs have not finished, %d have their evaluation already.",
        len(found) - len(finished),
        len(finished) - len(left),
    )
    return left


def is_evaluated(folder: Path, split: str, checkpoint: str) -> bool:
    """Return whether a finished run has an evaluation of the epoch that it ended with.

    Args:
        folder: the run's folder.
        split: the evaluated split.
        checkpoint: the evaluated checkpoint, `best` or `last`.
    """
    try:
        content = read_json(evaluation_file(folder, split, checkpoint))
    except RunError:
        return False
    epoch = read_result(folder).get("epoch" if checkpoint == "best" else "epochs_run")
    return bool(content) and content.get("epoch") == epoch


def named_folders(config: DictConfig) -> list[Path]:
    """Return the folders of runs that the option `run` names or matches, each once.

    Raises:
        ConfigError: there is no run, or a pattern matches none.
    """
    run = "" if OmegaConf.is_missing(config, "run") else config.run
    listed: list[Any] = list(run) if isinstance(run, ListConfig) else [run]
    names = [os.path.expanduser(name) for name in listed if isinstance(name, str) and name]
    if not names or len(names) < len(listed):
        raise ConfigError(
            f"run={run}: name a run's folder, as in run=runs/mnist/lagging/2026-01-31_12-00-00."
        )
    found: dict[Path, None] = {}
    for name in names:
        found |= dict.fromkeys(matching_folders(name))
    return list(found)


def matching_folders(name: str) -> list[Path]:
    """Return the one folder of a name, or the folders of runs that a pattern matches.

    A name that is there is no pattern.

    Raises:
        ConfigError: a pattern matches no run.
    """
    if glob.escape(name) == name or Path(name).exists():
        return [Path(name)]
    paths = [Path(path) for path in sorted(glob.glob(name))]
    matches = [path for path in paths if (path / CONFIG_FILE).is_file()]
    if not matches:
        raise ConfigError(f"run={name}: no folder of a run matches.")
    return matches

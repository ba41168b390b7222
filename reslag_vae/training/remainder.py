"""What is left to do of a run that is resumed: epochs, its measurement, or nothing."""

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from reslag_vae._runtime.errors import printable
from reslag_vae.runs.checkpoints import checkpoint_path, epoch_of, read_checkpoint
from reslag_vae.runs.folder import checkpoint_file, monitored_value, read_result
from reslag_vae.training.stored_config import begun_config
from reslag_vae.training.system import BaseVAE

log = logging.getLogger(__name__)


def is_over(config: DictConfig, folder: Path, last: Path | None) -> bool:
    """Return whether a run has all of its epochs, and its best is measured after the last of them.

    Args:
        config: configuration of the run.
        folder: folder of the run.
        last: checkpoint to resume from; None begins anew.
    """
    if last is None:
        return False
    result, best = read_result(folder), checkpoint_file(folder, "best")
    measured = result.get("epochs_run") == epoch_of(read_checkpoint(last), last)
    if not measured or has_epochs_left(config, last):
        return False
    return result.get("epoch") == epoch_of(read_checkpoint(best), best)


def has_epochs_left(config: DictConfig, last: Path) -> bool:
    """Return whether a run trains further: it has fewer epochs than it may, and has not stopped.

    Args:
        config: configuration of the run.
        last: checkpoint to resume from.
    """
    checkpoint = read_checkpoint(last)
    progress: dict[str, Any] = checkpoint.get("progress", {})
    fewer: bool = epoch_of(checkpoint, last) < config.trainer.max_epochs
    return fewer and progress.get("stopped_because") is None


def leave(folder: Path, model: BaseVAE) -> float:
    """Leave a run that is over as it is, and say so.

    Args:
        folder: folder of the run.
        model: model of the run, which gets the best checkpoint's weights.

    Returns:
        The monitored value of the best epoch.
    """
    model.load_state_dict(read_checkpoint(checkpoint_path(folder, "best"))["state_dict"])
    result = read_result(folder)
    log.info(
        "%s is finished (%s): nothing of it is changed. A larger trainer.max_epochs trains further "
        "what has not stopped by itself.",
        printable(str(folder)),
        result.get("stopped_because"),
    )
    value = monitored_value(folder)
    assert value is not None, "a run that is over has a result"
    return value


def record(config: DictConfig, folder: Path, last: Path | None) -> DictConfig:
    """Return the configuration that a run has been trained with, once it has ended.

    What a run has changed since that trains no further epoch is not what it was trained with: of
    that its length alone is taken, which may end an interrupted run where it is.

    Args:
        config: configuration of the run.
        folder: folder of the run.
        last: checkpoint to resume from; None begins anew.
    """
    if last is None or has_epochs_left(config, last):
        return config
    begun = begun_config(folder)
    begun.trainer.max_epochs = min(begun.trainer.max_epochs, config.trainer.max_epochs)
    return begun

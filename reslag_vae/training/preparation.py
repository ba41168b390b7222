"""The start of a run: everything is checked first, and then written."""

import logging
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from lightning import Trainer
from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime.errors import ConfigError, printable
from reslag_vae.data import ImageDataModule
from reslag_vae.runs import identity
from reslag_vae.runs.checkpoints import epoch_of, read_checkpoint
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import (
    CHECKPOINTS,
    CONFIG_FILE,
    FIGURES,
    IDENTITY_FILE,
    METRICS_FILE,
    RESULT_FILE,
    clean,
)
from reslag_vae.training import finish
from reslag_vae.training.build import add_logger, sign
from reslag_vae.training.job import save
from reslag_vae.training.system import BaseVAE

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """A run that may begin.

    Attributes:
        folder: of the run.
        last: the checkpoint to go on from; None where there is none.
        identity: what its run.json is to say.
    """

    folder: Path
    last: Path | None
    identity: dict[str, Any]


def prepare(config: DictConfig, folder: Path, last: Path | None, data: ImageDataModule) -> Start:
    """Read the data, and see that they and the checkpoint are those of the run. Nothing is written.

    Raises:
        DataError: the data are missing or damaged.
        RunError: the checkpoint is of another run, or the data are not those that the run began
            with.
        ConfigError: the run is longer already than it is to be.
    """
    began = (folder / CONFIG_FILE).exists()
    if began and data.needs_root and not data.root.is_dir():
        raise ConfigError(
            f"data.root={data.root}: is not here; name the folder of the data by data.root=."
        )
    if last is not None:
        check_checkpoint(config, folder, last)
    check_places(folder)
    data.prepare_data()
    check_limits(config, data)
    own = identity.read_identity(folder)
    changed = identity.changes(folder, data.inventory) if began else ""
    if changed and config.changed_data != "accept":
        raise RunError(f"{folder}: its data have changed: {changed}. {identity.CONSEQUENCE}")
    if changed:
        log.warning(
            "The run goes on with other data: %s. Its val and test may hold images of its train.",
            changed,
        )
    if changed or not own:
        own = {**identity.new_identity(data.inventory), **{key: own[key] for key in ("id",) if own}}
    return Start(
        folder, last, own | {"changed_data": bool(changed) or bool(own.get("changed_data"))}
    )


def check_places(folder: Path) -> None:
    """See that nothing stands where the files and folders of a run will be written.

    Raises:
        RunError: naming it.
    """
    for name in (CHECKPOINTS, FIGURES):
        if os.path.lexists(folder / name) and not (folder / name).is_dir():
            raise RunError(f"{folder / name} is in the way: it is not a folder.")
    for name in (METRICS_FILE, RESULT_FILE, IDENTITY_FILE):
        if (folder / name).is_dir():
            raise RunError(f"{folder / name} is in the way: it is a folder.")


def check_limits(config: DictConfig, data: ImageDataModule) -> None:
    """See that the part of the minibatches that an epoch is limited to has any.

    Raises:
        ConfigError: naming the option.
    """
    for split in ("train", "val"):
        limit = config.trainer.get(f"limit_{split}_batches")
        batches = math.ceil(data.inventory.images[split] / data.batch_size)
        if isinstance(limit, float) and int(limit * batches) < 1:
            raise ConfigError(
                f"trainer.limit_{split}_batches={limit}: is none of the {batches} minibatches of {split}."
            )


def check_checkpoint(config: DictConfig, folder: Path, last: Path) -> None:
    """See that a checkpoint is of the run that is to go on from it.

    Raises:
        RunError: it is of another run.
        ConfigError: the run is longer already than it is to be.
    """
    checkpoint = read_checkpoint(last)
    identity.refuse_other(folder, checkpoint, last, OmegaConf.to_container(config, resolve=True))
    epochs = epoch_of(checkpoint, last)
    if epochs > config.trainer.max_epochs:
        raise ConfigError(
            f"trainer.max_epochs={config.trainer.max_epochs}: {folder} has {epochs} epochs already; "
            f"give {epochs} or more."
        )


def begin(
    start: Start, config: DictConfig, trainer: Trainer, data: ImageDataModule, model: BaseVAE
) -> None:
    """Write what a run begins with, and show it.

    Args:
        start: of the run.
        config: of the run.
        trainer: gets the run's dashboard.
        data: of the run.
        model: its checkpoints get the run's identity.
    """
    clean(start.folder)
    save(config, start.folder)
    identity.write_identity(start.folder, start.identity)
    sign(model, config, start.identity["id"])
    add_logger(trainer, config, data, model)
    log.info(
        "%s in %s", "Training" if start.last is None else "Resuming", printable(str(start.folder))
    )
    log.info("Data: %s", printable(data.inventory.line()))
    for note in data.inventory.notes:
        log.warning("Data: %s", printable(note))
    finish.show_card(model)

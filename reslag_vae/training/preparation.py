"""The start of a run: everything is checked first, and then written."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

from lightning import Trainer
from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime.errors import ConfigError, printable
from reslag_vae.data import ImageDataModule
from reslag_vae.runs import identity
from reslag_vae.runs.folder import CONFIG_FILE, RunError, clean, epoch_of, read_checkpoint
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
        RunError: the checkpoint is of another run, or the data are not those that the run began with.
        ConfigError: the run is longer already than it is to be.
    """
    began = (folder / CONFIG_FILE).exists()
    if began and data.needs_root and not data.root.is_dir():
        raise ConfigError(f"data.root={data.root}: is not here; name the folder of the data by data.root=.")
    if last is not None:
        check_checkpoint(config, folder, last)
    data.prepare_data()
    own = identity.read_identity(folder)
    changed = identity.changes(folder, data.inventory) if began else ""
    if changed and config.changed_data != "accept":
        raise RunError(f"{folder}: its data have changed: {changed}. {identity.CONSEQUENCE}")
    if changed:
        log.warning("The run goes on with other data: %s. Its val and test may hold images of its train.", changed)
    if changed or not own:
        own = {**identity.new_identity(data.inventory), **{key: own[key] for key in ("id",) if own}}
    return Start(folder, last, own | {"changed_data": bool(changed) or own["changed_data"]})


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


def begin(start: Start, config: DictConfig, trainer: Trainer, data: ImageDataModule, model: BaseVAE) -> None:
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
    log.info("%s in %s", "Training" if start.last is None else "Resuming", printable(str(start.folder)))
    log.info("Data: %s", printable(data.inventory.line()))
    for note in data.inventory.notes:
        log.warning("Data: %s", printable(note))
    finish.show_card(model)

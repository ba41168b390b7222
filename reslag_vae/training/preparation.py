"""The start of a run: everything is checked before anything is written."""

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
    IMAGES_FILE,
    METRICS_CSV,
    RESULT_FILE,
    STEPS_CSV,
    checkpoint_file,
    clean,
)
from reslag_vae.training.build import add_logger, sign_checkpoints
from reslag_vae.training.callbacks.checkpoint import state_of
from reslag_vae.training.checks import note_slow_precision
from reslag_vae.training.first_stage import refuse_other_data
from reslag_vae.training.remainder import record
from reslag_vae.training.second_stage import is_second_stage
from reslag_vae.training.stored_config import save_config
from reslag_vae.training.system import BaseVAE
from reslag_vae.training.tables import show_card

log = logging.getLogger(__name__)


class Start(NamedTuple):
    """A run that may begin.

    Attributes:
        folder: folder of the run.
        config: configuration that the run is trained with, for its config.yaml.
        last: checkpoint to resume from; None begins anew.
        identity: content of the run's run.json.
    """

    folder: Path
    config: DictConfig
    last: Path | None
    identity: dict[str, Any]


def prepare(config: DictConfig, folder: Path, last: Path | None, data: ImageDataModule) -> Start:
    """Read the data, and check that they and the checkpoint are those of the run.

    Nothing is written.

    Args:
        config: configuration of the run.
        folder: folder of the run.
        last: checkpoint to resume from; None begins anew.
        data: data module of the run.

    Raises:
        DataError: the data are missing or damaged.
        RunError: the checkpoint is of another run, or the data are not those that the run began
            with.
        ConfigError: the run has more epochs already than it is to have.
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
    data.check_place(folder / IMAGES_FILE)
    check_limits(config, data)
    if not began and is_second_stage(config):
        refuse_other_data(config, data.inventory)
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
        known = own.get("id") or (None if last is None else identity.id_of(read_checkpoint(last)))
        own = identity.new_identity(data.inventory) | ({} if known is None else {"id": known})
    own["changed_data"] = bool(changed) or bool(own.get("changed_data"))
    return Start(folder, record(config, folder, last), last, own)


def check_places(folder: Path) -> None:
    """Refuse a folder in which something is in the way of a run's files and folders.

    Raises:
        RunError: something is in the way. The message names it.
    """
    for name in (CHECKPOINTS, FIGURES):
        if os.path.lexists(folder / name) and not (folder / name).is_dir():
            raise RunError(f"{folder / name} is in the way: it is not a folder.")
    for name in (METRICS_CSV, STEPS_CSV, RESULT_FILE, IDENTITY_FILE, IMAGES_FILE):
        if (folder / name).is_dir():
            raise RunError(f"{folder / name} is in the way: it is a folder.")


def check_limits(config: DictConfig, data: ImageDataModule) -> None:
    """Refuse to limit an epoch to a part of the minibatches that has none.

    Raises:
        ConfigError: a part has no minibatch. The message names the option.
    """
    for split in ("train", "val"):
        limit = config.trainer.get(f"limit_{split}_batches")
        passes = data.passes if split == "train" else 1
        batches = passes * math.ceil(data.inventory.images[split] / data.batch_size)
        if isinstance(limit, float) and int(limit * batches) < 1:
            raise ConfigError(
                f"trainer.limit_{split}_batches={limit}: is none of the {batches} minibatches of "
                f"{split}."
            )


def check_checkpoint(config: DictConfig, folder: Path, last: Path) -> None:
    """Refuse a checkpoint of another run than the one that is resumed from it.

    Args:
        config: configuration of the run.
        folder: folder of the run.
        last: checkpoint to resume from.

    Raises:
        RunError: the checkpoint is of another run, or the best one is, is gone or damaged.
        ConfigError: the run has more epochs already than it is to have.
    """
    checkpoint = read_checkpoint(last)
    identity.refuse_other(folder, checkpoint, last, OmegaConf.to_container(config, resolve=True))
    epochs = epoch_of(checkpoint, last)
    if epochs > config.trainer.max_epochs:
        raise ConfigError(
            f"trainer.max_epochs={config.trainer.max_epochs}: {folder} has {epochs} epochs "
            f"already; give {epochs} or more."
        )
    check_best(config, folder, last, checkpoint)


def check_best(config: DictConfig, folder: Path, last: Path, checkpoint: dict[str, Any]) -> None:
    """Refuse a run whose best checkpoint is gone or spoilt, which would be measured at the end.

    Args:
        config: configuration of the run.
        folder: folder of the run.
        last: checkpoint to resume from.
        checkpoint: its content.

    Raises:
        RunError: the best checkpoint is gone, damaged, or of another run.
    """
    best = checkpoint_file(folder, "best")
    if state_of(checkpoint).get("best_score") is None and not best.exists():
        return  # no epoch has had a finite value
    remedy = (
        f"put it back, or copy {last.name} to {best.name}: of its epoch and those to come the best "
        "is kept then."
    )
    if not best.exists():
        raise RunError(f"{best} is gone: {remedy}")
    try:
        own = OmegaConf.to_container(config, resolve=True)
        identity.refuse_other(folder, read_checkpoint(best), best, own)
    except RunError as error:
        raise RunError(f"{str(error).rstrip('.')}; {remedy}") from None


def begin(
    start: Start, config: DictConfig, trainer: Trainer, data: ImageDataModule, model: BaseVAE
) -> None:
    """Write what a run begins with, and show it; one that was finished is so no more.

    Args:
        start: what `prepare` has found.
        config: configuration of the run.
        trainer: trainer of the run, which gets the run's dashboard.
        data: data module of the run.
        model: model of the run, whose checkpoints get the run's identity.
    """
    clean(start.folder)
    # First, for it may take long: with a configuration there is a run, which needs its images.
    data.keep(start.folder / IMAGES_FILE)
    save_config(start.config, start.folder)
    identity.write_identity(start.folder, start.identity)
    sign_checkpoints(model, config, start.identity["id"])
    add_logger(trainer, config, data, model)
    log.info(
        "%s in %s", "Training" if start.last is None else "Resuming", printable(str(start.folder))
    )
    log.info("Data: %s", printable(data.inventory.line()))
    for note in data.inventory.notes:
        log.warning("Data: %s", printable(note))
    note_slow_precision(config, trainer)
    show_card(model)
    # What was measured is not of the epochs to come.
    (start.folder / RESULT_FILE).unlink(missing_ok=True)

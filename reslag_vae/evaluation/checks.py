"""Checks of runs, their data and the options before the first number is measured."""

import logging
import os
from pathlib import Path

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.data import CelebA, DataError, ImageDataModule
from reslag_vae.evaluation.record import Outputs
from reslag_vae.evaluation.settings import Settings
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CONFIG_FILE
from reslag_vae.runs.identity import CONSEQUENCE, changes
from reslag_vae.runs.load import Run

log = logging.getLogger(__name__)

# Images of a split: a mixture of 10 Gaussians takes as many.
FEWEST = 10


def check(run: Run, data: ImageDataModule, settings: Settings, outputs: Outputs) -> None:
    """Check that a run can be evaluated and its folder written; log where it is not finished.

    Args:
        run: the run, as read from its folder.
        data: the data that it is evaluated on.
        settings: what the numbers depend on.
        outputs: what is measured and drawn beside the usual numbers.

    Raises:
        RunError: the checkpoint and the configuration are of different runs, or the folder cannot
            be written.
        DataError: there are too few images.
        ConfigError: CelebA has no such attribute.
    """
    if tuple(data.image_shape) != run.model.image_shape:
        raise RunError(
            f"{run.folder}: its model takes images of {run.model.image_shape}, and those of its "
            f"{CONFIG_FILE} are of {tuple(data.image_shape)}."
        )
    counts = {"train": len(data.split("train")), settings.split: len(data.split(settings.split))}
    for split, count in counts.items():
        if count < FEWEST:
            raise DataError(
                f"{run.folder}: its {split} split has {count} images; an evaluation takes {FEWEST}."
            )
    if isinstance(data, CelebA) and data.attribute_names:
        check_attributes(data, outputs)
    if not os.access(run.folder, os.W_OK):
        raise RunError(f"{run.folder} cannot be written.")
    if not run.images:
        log.warning(
            "%s has not finished training, by its files: its epoch %s is evaluated.",
            run.folder,
            run.epoch,
        )


def check_attributes(data: CelebA, outputs: Outputs) -> None:
    """Check that the attributes which are added to faces are among CelebA's.

    Raises:
        ConfigError: CelebA has no such attribute.
    """
    for name in outputs.attributes:
        if name not in data.attribute_names:
            raise ConfigError(
                f"attributes: there is no {name}; there are {', '.join(data.attribute_names)}."
            )


def check_identity(run: Run, data: ImageDataModule, accept: bool) -> None:
    """Check that the data are those that a run was trained on.

    Args:
        run: the run, as read from its folder.
        data: the data that it is evaluated on.
        accept: whether other data are accepted, with a warning in the log.

    Raises:
        DataError: the data have changed.
    """
    changed = changes(run.folder, data.inventory)
    if changed and not accept:
        raise DataError(f"{run.folder}: its data have changed: {changed}. {CONSEQUENCE}")
    if changed:
        log.warning(
            "%s is evaluated on other data: %s. Its model may know images of test.",
            run.folder,
            changed,
        )


def make_writable(folder: Path) -> None:
    """Make the folder of the option `out`, and check that it can be written.

    Raises:
        ConfigError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out={folder}: cannot be made: {error}") from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"out={folder}: cannot be written.")

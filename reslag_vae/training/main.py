"""The command that trains, `python train.py` or `reslag train`."""

import logging
import math
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from omegaconf import DictConfig

from reslag_vae import options
from reslag_vae._runtime import process, ranks, terminal
from reslag_vae._runtime.errors import ConfigError, UserError, permission_errors, printable_lines
from reslag_vae._runtime.invocation import configuration_folder, invocation
from reslag_vae._runtime.jobs import job_end, job_name
from reslag_vae._runtime.loading import loading
from reslag_vae._runtime.signals import interruptible
from reslag_vae.runs.checkpoints import checkpoint_to_resume
from reslag_vae.runs.folder import monitored_value
from reslag_vae.runs.lock import OccupiedError, failure_kept, occupied
from reslag_vae.training import job_folder
from reslag_vae.training.job import job_config
from reslag_vae.training.second_stage import is_second_stage

if TYPE_CHECKING:
    from lightning import Trainer

    from reslag_vae.data import ImageDataModule
    from reslag_vae.training.system import BaseVAE

log = logging.getLogger(__name__)


def train(config: DictConfig, folder: Path) -> float:
    """Train, measure the best checkpoint, and write everything into the run's folder.

    If the folder holds an interrupted run, that run is resumed; one that is over is left as it is.
    With several devices each has a process that calls this. Everything is checked before anything
    is written.

    Args:
        config: configuration of the run.
        folder: folder of the run.

    Returns:
        The monitored value of the best epoch; NaN in all processes but the first.
    """
    return run(config, folder)[0]


def run(
    config: DictConfig,
    folder: Path,
    data: "ImageDataModule | None" = None,
    system: "BaseVAE | None" = None,
) -> tuple[float, "BaseVAE"]:
    """Train as `train` does, and return the trained system, too.

    Args:
        config: configuration of the run.
        folder: folder of the run.
        data: data module of the run; None builds the one that the configuration describes.
        system: system of the run; None builds the one that the configuration describes.

    Returns:
        The monitored value of the best epoch, and the system with that epoch's weights.
    """
    process.wait_briefly_in_a_crowd()
    with loading():
        from lightning import seed_everything

        from reslag_vae.training import first_stage, preparation, remainder
        from reslag_vae.training.build import build, finished_loggers, measured

    process.quiet()
    process.tune()
    process.allow_rounded_products(True)
    process.free_device_memory()
    last = checkpoint_to_resume(folder)  # a damaged one is named before anything else is done
    config, data = measured(config, folder, data, system)
    seed_everything(config.seed, verbose=False)
    data, model, trainer = build(config, folder, data, system)
    if last is None and is_second_stage(config):
        first_stage.begin_with_run(model, config)
    start = preparation.prepare(config, folder, last, data) if trainer.is_global_zero else None
    if remainder.is_over(config, folder, last):
        return remainder.leave(folder, model) if start is not None else math.nan, model
    keep = failure_kept(folder) if start is not None and not config.study else nullcontext()
    with keep, finished_loggers(trainer):
        if start is not None:
            preparation.begin(start, config, trainer, data, model)
            config = start.config
        return fit(config, folder, last, data, model, trainer), model


def fit(
    config: DictConfig,
    folder: Path,
    last: Path | None,
    data: "ImageDataModule",
    model: "BaseVAE",
    trainer: "Trainer",
) -> float:
    """Train to the end, and measure the best checkpoint.

    Args:
        config: configuration of the run.
        folder: folder of the run.
        last: checkpoint to resume from; None begins anew.
        data: data module of the run.
        model: model of the run.
        trainer: trainer of the run.

    Returns:
        The monitored value of the best epoch; NaN in all processes but the first.

    Raises:
        ConfigError: one of Lightning's callbacks does not go with the run.
    """
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    from reslag_vae.training import finish, metrics_json

    origin = metrics_json.origin(config)
    try:
        trainer.fit(model, data, ckpt_path=last, weights_only=True)
    except MisconfigurationException as error:
        raise ConfigError(f"callbacks: Lightning refuses: {' '.join(str(error).split())}") from None
    if not trainer.is_global_zero:
        return math.nan
    return finish.finish(trainer, model, data, folder, origin)


@hydra.main(version_base="1.3", config_path=str(configuration_folder()), config_name="train")
def main(config: DictConfig) -> float | None:
    """Train as the command line says, in the folder of Hydra's current job.

    Returns:
        The monitored value of the best epoch; None if another process is at work on the run of a
        study.
    """
    # The command has done both already, unless a launcher calls this in a process of its own.
    terminal.prepare()
    folder = job_folder.folder_of_job()
    try:
        with interruptible(), permission_errors():
            return in_folder(config, folder)
    except OccupiedError as error:
        if config.study is None or ranks.launched_processes() > 1:
            tell_failed_job(error)
            raise job_end(str(error)) from None
        log.info("left to the other process that is at work on it")
        return None
    except UserError as error:
        if not ranks.is_first():
            raise SystemExit(1) from None  # the first process says it
        if config.study:
            log.error("failed: %s", error)
        else:
            tell_failed_job(error)
            job_folder.discard()
        raise job_end(str(error)) from None
    except SystemExit:
        if config.study is None and ranks.is_first() and not job_folder.discard():
            words = invocation("train").split()
            again = terminal.command(*words, terminal.override("resume", folder))
            log.info("Stopped. To go on: %s", again)
        raise
    except Exception:
        # A sweep of many runs does not print it, so the run's train.log keeps it.
        if config.study or job_name():
            log.exception("failed")
        raise


def tell_failed_job(error: UserError) -> None:
    """Log why a job of a multirun has failed; one run alone says it as it ends.

    Hydra goes on with the other jobs, and raises the error of the first that has failed alone.
    """
    if job_name():
        log.error("%s%s", job_name(), printable_lines(str(error)))


def in_folder(config: DictConfig, folder: Path) -> float:
    """Train in a folder that the first process locks.

    Args:
        config: configuration that Hydra has composed.
        folder: folder of the job.

    Returns:
        The monitored value of the best epoch; NaN in all processes but the first.
    """
    with occupied(folder) if ranks.is_first() else nullcontext():
        config = job_config(config, folder)
        # Another process may have finished a run of a study meanwhile.
        value = monitored_value(folder) if config.study else None
        if value is not None:
            return value
        if not ranks.is_first():
            logging.disable(logging.INFO)  # the first process says it all
        # In a study the reason why a run was refused is kept, too: nobody may be looking.
        with failure_kept(folder) if config.study and ranks.is_first() else nullcontext():
            options.check(config)
            return train(config, folder)

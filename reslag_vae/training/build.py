"""The data module, the model and the trainer that a configuration describes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ProgressBar, Timer
from omegaconf import DictConfig, OmegaConf

from reslag_vae import options
from reslag_vae._runtime.errors import config_errors
from reslag_vae.data import ImageDataModule
from reslag_vae.options import condition, length
from reslag_vae.runs import provenance
from reslag_vae.runs.build import instantiate
from reslag_vae.runs.config import plain
from reslag_vae.runs.data import build_data, tell_condition
from reslag_vae.runs.loggers import build_trackers, check_loggers
from reslag_vae.runs.migrations import SCHEMA
from reslag_vae.runs.option_names import flat_names
from reslag_vae.runs.tracking import trackers
from reslag_vae.training.at_once import AtOnce
from reslag_vae.training.callbacks.pace import Drawing
from reslag_vae.training.checkpoint_io import WholeCheckpoints
from reslag_vae.training.checks import (
    check_devices,
    check_monitors,
    check_pixels,
    check_surroundings,
)
from reslag_vae.training.job import may_have_several_devices
from reslag_vae.training.profiler import NoProfiler
from reslag_vae.training.strategy import Replicas
from reslag_vae.training.system import BaseVAE


def measured(
    config: DictConfig,
    folder: Path,
    data: ImageDataModule | None = None,
    system: BaseVAE | None = None,
) -> tuple[DictConfig, ImageDataModule | None]:
    """Return a configuration as the data settle it, and the data if these were read for it.

    Its length is in epochs then, and a conditional model has the names of what it is told.

    What can be wrong with the options is found before the data are read. Nothing is written.

    Args:
        config: configuration of the run.
        folder: folder of the run.
        data: data module of the run; None builds the one that the configuration describes.
        system: system of the run; None builds the one that the configuration describes.

    Raises:
        ConfigError: an option is out of its range or does not go with another.
        DataError: the data are missing or damaged.
    """
    told = condition.condition_of(config)
    if not length.is_open(config) and told is None:
        return config, data
    data, _, _ = build(condition.named(length.settled(config, images=1)), folder, data, system)
    data.prepare_data()
    if told is not None:
        config = condition.named(config, tell_condition(data, told))
    return length.settled(config, len(data.split("train"))), data


def build(
    config: DictConfig,
    folder: Path,
    data: ImageDataModule | None = None,
    system: BaseVAE | None = None,
) -> tuple[ImageDataModule, BaseVAE, Trainer]:
    """Return the data module, the model and the trainer of a configuration.

    They are checked against each other. Nothing is written.

    Args:
        config: configuration of the run, with its length in epochs.
        folder: folder of the run, where the trainer will write.
        data: data module of the run; None builds the one that the configuration describes.
        system: system of the run; None builds the one that the configuration describes.

    Raises:
        ConfigError: an option is out of its range or does not go with another, or the program has
            set PyTorch to what would change the run.
    """
    check_surroundings()
    options.check(config)
    with config_errors():
        model = build_system(config) if system is None else system
        model.schedule.check_length(config.trainer.max_epochs)
        model.objective.check_length(config.trainer.max_epochs)
        check_monitors(options.monitors(plain(config)), model)
        data = build_data(config, model.model, data)
        check_pixels(model, data)
        callbacks = [instantiate(node) for node in config.callbacks.values() if node]
        callbacks.sort(key=lambda own: isinstance(own, Drawing))
        trainer = build_trainer(config, [AtOnce(), *callbacks], folder)
        check_devices(config, trainer)
        check_loggers(config.logger)
    data.passes = config.data.get("passes") or 1
    model.compilation = config.trainer.get("compile", False)
    return data, model, trainer


def build_system(config: DictConfig) -> BaseVAE:
    """Return the system of a resolved configuration, which is a variant.

    Args:
        config: configuration of the run; only its node `model` is read.

    Raises:
        ValueError: it describes no variant, the parts do not fit each other, or a value is out of
            its range.
    """
    system = instantiate(config.model)
    target = config.model.get("_target_")
    if not isinstance(system, BaseVAE):
        raise ValueError(f"model._target_={target}: is not a variant.")
    if not all(isinstance(getattr(system, own, None), str) for own in ("name", "title")):
        raise ValueError(f"model._target_={target}: a variant has a `name` and a `title`.")
    return system


def sign_checkpoints(model: BaseVAE, config: DictConfig, identity: str) -> None:
    """Let a model's checkpoints hold its configuration and the identity of its run.

    `load` and `resume=` read both.

    Args:
        model: model of the run.
        config: configuration of the run, of which they hold the model.
        identity: identity of the run.
    """
    own = OmegaConf.to_container(config.model, resolve=True)
    model.save_hyperparameters({"schema": SCHEMA, "model": own, "run": identity}, logger=False)


def add_logger(trainer: Trainer, config: DictConfig, data: ImageDataModule, model: BaseVAE) -> None:
    """Give a trainer the loggers that its configuration names, if it names any.

    Args:
        trainer: trainer of the run.
        config: configuration of the run.
        data: data module of the run, whose name they show.
        model: model of the run, whose name and parts they show.
    """
    if config.logger:
        names = {
            "model": model.name,
            "data": data.name,
            "objective": model.preset,
            "schedule": model.schedule.name,
        }
        facts = {
            "commit": provenance.commit(),
            "parameters": sum(own.numel() for own in model.parameters()),
        }
        folder, options = Path(trainer.default_root_dir), flat_names(config, names) | facts
        trainer.loggers = list(build_trackers(config.logger, folder, options))


def build_trainer(config: DictConfig, callbacks: list[Callback], folder: Path) -> Trainer:
    """Return the trainer of a configuration, without a logger.

    Args:
        config: configuration of the run.
        callbacks: callbacks of the run.
        folder: folder of the run, where the trainer will write.

    Raises:
        ValueError: Lightning refuses an option, such as a device that is not there.
    """
    options = instantiate(config.trainer)
    options.keywords.pop("compile", None)  # not Lightning's: see build
    # Lightning would stop within an epoch, and count that as a whole one.
    if (most := options.keywords.pop("max_time", None)) is not None:
        callbacks = [Timer(most, interval="epoch"), *callbacks]
    options.keywords.setdefault("profiler", NoProfiler())
    options.keywords["accelerator"] = accelerator_of(config.trainer.accelerator)
    if may_have_several_devices(config):
        options.keywords["strategy"] = Replicas()
    # Where ours is left out, Lightning would put its own.
    options.keywords.setdefault(
        "enable_progress_bar", any(isinstance(own, ProgressBar) for own in callbacks)
    )
    try:
        options.keywords["plugins"] = plugins()
        trainer: Trainer = options(callbacks=callbacks, logger=False, default_root_dir=folder)
    except (MisconfigurationException, RuntimeError) as error:  # the latter of Slurm's variables
        raise ValueError(f"trainer: {' '.join(str(error).split())}") from None
    return trainer


def accelerator_of(choice: str) -> str:
    """Return Lightning's name of the processor that is meant: a GPU is one of CUDA.

    Lightning may mean one of Apple's, which refuses the float64 that averages and evaluations have.

    Args:
        choice: `auto` for a GPU, or the CPU where there is none; or the name of one.
    """
    if choice == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return "cuda" if choice == "gpu" else choice


def plugins() -> list[Any]:
    """Return the Lightning plugins of a trainer.

    Checkpoints are whole or not there. Under Slurm, Lightning writes none of its own within an
    epoch.
    """
    # As Lightning does it: torchrun goes before Slurm, within which it may run.
    own = SLURMEnvironment.detect() and not TorchElasticEnvironment.detect()
    slurm = [SLURMEnvironment(auto_requeue=False)] if own else []
    return [WholeCheckpoints(), *slurm]


@contextmanager
def finished_loggers(trainer: Trainer) -> Iterator[None]:
    """Close every logger at the end of the context, also after an error.

    The next run of the same process must not write into it.
    """
    status = "failed"
    try:
        yield
        status = "success"
    finally:
        for logger in trainer.loggers:
            logger.finalize(status)
        for tracker in trackers(trainer.loggers):
            tracker.close(exit_code=int(status != "success"))

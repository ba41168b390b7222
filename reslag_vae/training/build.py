"""From a configuration to data module, model and trainer. With the entry scripts, the only importer of Hydra."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning import Callback, Trainer
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ProgressBar
from omegaconf import DictConfig, OmegaConf

from reslag_vae import options
from reslag_vae._runtime import ranks
from reslag_vae._runtime.errors import config_errors
from reslag_vae.data import ImageDataModule
from reslag_vae.runs.build import instantiate
from reslag_vae.runs.data import build_data
from reslag_vae.runs.migrations import SCHEMA
from reslag_vae.runs.option_names import flat_names
from reslag_vae.runs.tracking import SteadyLogger
from reslag_vae.training.checkpoint_io import WholeCheckpoints
from reslag_vae.training.job import several_devices
from reslag_vae.training.profiler import NoProfiler
from reslag_vae.training.strategy import Replicas
from reslag_vae.training.system import BaseVAE


def check_devices(config: DictConfig, trainer: Trainer) -> None:
    """Refuse what does not go with several devices.

    Raises:
        ValueError: naming the option.
    """
    count, started = trainer.world_size, ranks.launched_processes()
    if started > 1 and started != count:
        raise ValueError(
            f"{started} processes were started together, and the run has {count} device(s): set trainer.devices to the "
            "number of processes on a machine, and trainer.num_nodes to that of machines."
        )
    if config.trainer.num_nodes != 1 and started == 1:
        raise ValueError(
            f"trainer.num_nodes={config.trainer.num_nodes}: start the processes by torchrun or srun."
        )
    if config.data.batch_size % count:
        raise ValueError(
            f"data.batch_size={config.data.batch_size}: must be a multiple of the {count} devices."
        )
    if count > 1 and config.trainer.get("compile"):
        raise ValueError(
            "trainer.compile=true: takes one device; leave it out, or trainer.devices=1."
        )


def check_monitor(monitor: str, model: BaseVAE) -> None:
    """Refuse to choose the best epoch by what this model does not log.

    Raises:
        ValueError: naming what it logs.
    """
    there = [f"{split}/{name}" for split in ("val", "train") for name in model.metric_names()]
    if (
        monitor in options.METRICS and monitor not in there
    ):  # another one may be that of the user's own callback
        raise ValueError(
            f"monitor={monitor}: this model has no such metric; there are {', '.join(there)}."
        )


def build(config: DictConfig, folder: Path) -> tuple[ImageDataModule, BaseVAE, Trainer]:
    """Data module, model and trainer of a configuration, checked against each other; nothing is written.

    Args:
        config: of the run.
        folder: of the run, where the trainer will write.

    Raises:
        ConfigError: an option is out of its range or does not go with another.
    """
    options.check(config)
    with config_errors():
        model = build_system(config)
        model.schedule.check_length(config.trainer.max_epochs)
        model.objective.check_length(config.trainer.max_epochs)
        check_monitor(config.monitor, model)
        data = build_data(config, model.model)
        check_pixels(model, data)
        callbacks = [instantiate(node) for node in config.callbacks.values() if node]
        trainer = build_trainer(config, callbacks, folder)
        check_devices(config, trainer)
    if config.trainer.get("compile"):
        model.compile_updates()
    return data, model, trainer


def build_system(config: DictConfig) -> BaseVAE:
    """Return the variant of a resolved configuration.

    Raises:
        ValueError: the parts do not fit each other, or a value is out of its range.
    """
    system = instantiate(config.model)
    target = config.model.get("_target_")
    if not isinstance(system, BaseVAE):
        raise ValueError(f"model._target_={target}: is not a variant.")
    if not all(isinstance(getattr(system, own, None), str) for own in ("name", "title")):
        raise ValueError(f"model._target_={target}: a variant has a `name` and a `title`.")
    return system


def check_pixels(system: BaseVAE, data: ImageDataModule) -> None:
    """Refuse greys where the likelihood takes 0 and 1 alone.

    Raises:
        ValueError: naming the data.
    """
    likelihood = system.model.likelihood
    if likelihood.binary and not data.binary:
        raise ValueError(
            f"likelihood={likelihood.name}: takes images of 0 and 1 alone, and data={data.name} has "
            "greys: data=binarized_mnist, or data=mnist data.binarize=dynamic."
        )


def sign(model: BaseVAE, config: DictConfig, identity: str) -> None:
    """Have a model's checkpoints say what they are of, for `load` and `resume=`, and of which run."""
    own = OmegaConf.to_container(config.model, resolve=True)
    model.save_hyperparameters({"schema": SCHEMA, "model": own, "run": identity}, logger=False)


def add_logger(trainer: Trainer, config: DictConfig, data: ImageDataModule, model: BaseVAE) -> None:
    """Give a trainer the dashboard that its run's configuration names, if it names one."""
    if config.logger:
        folder = Path(trainer.default_root_dir)
        names = {
            "model": model.name,
            "data": data.name,
            "objective": model.preset,
            "schedule": model.schedule.name,
        }
        options = flat_names(config, names)
        trainer.loggers = [instantiate(config.logger)(folder=folder, config=options)]


def build_trainer(config: DictConfig, callbacks: list[Callback], folder: Path) -> Trainer:
    """The trainer of a configuration, without a logger.

    Raises:
        ValueError: what Lightning has against it, such as a device that is not there.
    """
    options = instantiate(config.trainer)
    options.keywords.pop("compile", None)  # not Lightning's: see build
    options.keywords.setdefault("profiler", NoProfiler())
    if several_devices(config):
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


def plugins() -> list[Any]:
    """Checkpoints that are whole or not there; under Slurm no checkpoints of Lightning's own in mid-epoch."""
    # As Lightning does it: torchrun goes before Slurm, within which it may run.
    own = SLURMEnvironment.detect() and not TorchElasticEnvironment.detect()
    slurm = [SLURMEnvironment(auto_requeue=False)] if own else []
    return [WholeCheckpoints(), *slurm]


@contextmanager
def finished_loggers(trainer: Trainer) -> Iterator[None]:
    """Close every logger at the end, also after an error: the next run of this process must not write into it."""
    status = "failed"
    try:
        yield
        status = "success"
    finally:
        for logger in trainer.loggers:
            logger.finalize(status)
            if isinstance(logger, SteadyLogger):
                logger.close(exit_code=int(status != "success"))

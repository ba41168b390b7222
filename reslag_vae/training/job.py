"""The folder and the configuration of a job, composed by Hydra or kept by a run."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from reslag_vae._runtime import ranks
from reslag_vae._runtime.errors import ConfigError
from reslag_vae._runtime.terminal import override
from reslag_vae.options.table import LONGEST_GROUP
from reslag_vae.runs.config import check_trust, plain
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import (
    CONFIG_FILE,
    RESULT_FILE,
    checkpoint_files,
    config_path,
    read_result,
)
from reslag_vae.training.resume import resumed
from reslag_vae.training.second_stage import is_second_stage, staged
from reslag_vae.training.study_job import study_config
from reslag_vae.training.unread import PARTS, refuse_unread, unread

log = logging.getLogger(__name__)


def run_folder(resume: str | None, new: str) -> str:
    """Return the folder of a run: that of the run to resume, or a new one.

    It is a resolver of Hydra's configuration. Nothing is written.

    Args:
        resume: folder of the run to resume; None begins a new one.
        new: folder of a new run.

    Raises:
        SystemExit: there is no run to resume, or several processes would each have a folder of
            their own. Hydra and OmegaConf would wrap any other exception, raised this early, in a
            hundred lines of their own.
    """
    if resume is None:
        if ranks.launched_processes() > 1:
            raise SystemExit(
                "Several processes train one run: name its folder by hydra.run.dir=runs/my_run."
            )
        return new
    try:
        config_path(Path(resume).expanduser())
    except RunError as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(f"{resume} cannot be read: {error.strerror}.") from None
    return resume


def data_of(run: str | None, chosen: str) -> str:
    """Return the name of a new run's data: those of the run that a second stage begins with.

    It is a resolver of Hydra's configuration.

    Args:
        run: folder of the run that it begins with; None for any other run.
        chosen: choice of `data=`.
    """
    if run is None:
        return chosen
    try:
        return str(read_result(Path(run).expanduser()).get("data", chosen))
    except (RunError, OSError):
        return chosen  # what is wrong with the run is said once its configuration is read


def parts_of(overrides: Sequence[str]) -> str:
    """Return what the command line chooses for the parts of a job's model, each after a low line.

    It is a resolver of Hydra's configuration, for the names of a multirun's folders, which say
    model, data and objective anyway: `_linear_label` for network=linear condition=label.

    Args:
        overrides: overrides of the job.
    """
    chosen = (override.partition("=") for override in overrides)
    return "".join(f"_{value}" for group, _, value in chosen if group in PARTS)


OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
OmegaConf.register_new_resolver("data_of", data_of, replace=True)
OmegaConf.register_new_resolver("parts_of", parts_of, replace=True)


def job_config(config: DictConfig, folder: Path) -> DictConfig:
    """Return the configuration of Hydra's current job.

    Args:
        config: configuration that Hydra has composed.
        folder: folder of the job.

    Raises:
        RunError: a new run would be mixed with one that is in its folder already.
        ConfigError: an override would make a resumed run another one, or an option does not go
            with a multirun.
    """
    hydra = HydraConfig.get()
    multirun = hydra.mode == RunMode.MULTIRUN
    if multirun and may_have_several_devices(config) and ranks.launched_processes() == 1:
        raise ConfigError(
            f"trainer.devices={config.trainer.devices}: a run of a multirun has one device, unless "
            "Slurm starts its processes (hydra/launcher=submitit_slurm "
            "hydra.launcher.tasks_per_node=2)."
        )
    refuse_other_folder(hydra.overrides.hydra, multirun)
    if config.resume is not None:
        if multirun:
            raise ConfigError("resume= takes one run: leave out -m.")
        elsewhere = [own for own in hydra.overrides.hydra if own.startswith("hydra.run.dir=")]
        if elsewhere and ranks.is_first():  # Lightning names the folder to those that it starts
            raise ConfigError(
                f"{elsewhere[0]} cannot be set beside resume=: a run goes on in its own folder."
            )
        return resumed(folder, list(hydra.overrides.task), check_trust(plain(config.trust)))
    check_read(config, list(hydra.overrides.task), hydra.runtime.choices.get("model"), multirun)
    config = staged(config, list(hydra.overrides.task), folder)
    if config.study is not None:
        set_logger_group(config, config.study)
        return study_config(config, folder)
    if ranks.is_first():
        refuse_mixing(folder)
    if multirun:
        set_logger_group(config, os.path.basename(os.path.abspath(hydra.sweep.dir)))
    return config


def check_read(config: DictConfig, overrides: list[str], model: str | None, multirun: bool) -> None:
    """Refuse overrides that change nothing of a run; of a multirun's runs they are told.

    What one of these does not read another may, as a network beside a model that has none.

    Raises:
        ConfigError: the message names the override.
    """
    # What a second stage has from its run is refused with that, and a run without a model later.
    if is_second_stage(config) or model is None:
        return
    if not multirun:
        refuse_unread(config, overrides, model)
    elif ranks.is_first():
        for sentence in unread(config, overrides, model):
            log.warning(sentence)


def set_logger_group(config: DictConfig, group: str) -> None:
    """Set the group under which a dashboard shows a run, if the configuration leaves it open.

    Args:
        config: configuration of the run, which is changed.
        group: name of the group, of which a dashboard gets as much as it takes; an empty one, as of
            the folder `/`, leaves it open.
    """
    if config.logger and "group" in config.logger and config.logger.group is None:
        config.logger.group = group[:LONGEST_GROUP] or None


def refuse_other_folder(overrides: Sequence[str], multirun: bool) -> None:
    """Refuse to name the folder of a run where there are several, and that of several where one is.

    Args:
        overrides: overrides of Hydra's own options.
        multirun: whether there are several runs.

    Raises:
        ConfigError: the message says which option names the folder.
    """
    runs, unread, read = ("one run", "sweep", "run")
    if multirun:
        runs, unread, read = ("several runs", "run", "sweep")
    for own in overrides:
        if own.startswith(f"hydra.{unread}."):
            raise ConfigError(
                f"{own}: has no effect, since the folder of {runs} is that of hydra.{read}.dir=."
            )


def refuse_mixing(folder: Path) -> None:
    """Refuse to begin a run in a folder that holds one, or a part of one.

    Raises:
        RunError: the folder holds a run or a part of one.
    """
    if (folder / CONFIG_FILE).exists():
        again = override("resume", folder)
        raise RunError(
            f"{folder} holds a run already: go on with it by {again}, or choose another folder."
        )
    for path in (folder / RESULT_FILE, *checkpoint_files(folder)):
        if path.exists():
            raise RunError(f"{path} is of another run: choose another folder.")


def may_have_several_devices(config: DictConfig) -> bool:
    """Return whether a run may have more devices than one.

    How many devices `auto` and `-1` stand for is known only to the trainer.
    """
    devices = config.trainer.devices
    one = len(devices) == 1 if isinstance(devices, ListConfig) else str(devices) in ("1", "None")
    return not one or config.trainer.num_nodes != 1

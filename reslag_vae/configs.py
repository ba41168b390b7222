"""The configuration of a job: composed by Hydra, or that of the run to resume."""

import shutil
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError

from reslag_vae import ranks
from reslag_vae.errors import ConfigError
from reslag_vae.files import write_atomically
from reslag_vae.occupancy import FAILURE_FILE
from reslag_vae.runs import CONFIG_FILE, ID_FILE, RunError, config_path, read_config
from reslag_vae.settings import material_differences

# What may differ in a resumed run: where and how long it runs, not what it is.
NO_LOGGER = "logger=none"
RESUMABLE = ("trainer.", "logger.", NO_LOGGER, "data.root=")


def run_folder(resume: str | None, new: str) -> str:
    """Hydra's resolver for the run's folder: that of the run to resume, or a new one.

    Raises:
        SystemExit: there is no run to resume, or several processes would each have a folder of their own. Hydra and
            OmegaConf would wrap any other exception, raised this early, in a hundred lines of their own. Nothing is
            written.
    """
    if resume is None:
        if ranks.started() > 1:
            raise SystemExit("Several processes train one run: name its folder by hydra.run.dir=runs/my_run.")
        return new
    try:
        config_path(Path(resume))
    except RunError as error:
        raise SystemExit(str(error)) from None
    return resume


OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)


def folder_of_job() -> Path:
    """The folder of Hydra's current job."""
    return Path(HydraConfig.get().runtime.output_dir)


def of_job(config: DictConfig, folder: Path) -> DictConfig:
    """The configuration of Hydra's current job.

    Args:
        config: as composed.
        folder: of the job.

    Raises:
        RunError: a new run would be mixed with one that is in its folder already.
        ConfigError: an override would make a resumed run another one.
    """
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN and several_devices(config) and ranks.started() == 1:
        raise ConfigError(
            f"trainer.devices={config.trainer.devices}: a run of a multirun has one device, unless Slurm starts its "
            "processes (hydra/launcher=submitit_slurm hydra.launcher.tasks_per_node=2)."
        )
    if config.resume is not None:
        if hydra.mode == RunMode.MULTIRUN:
            raise ConfigError("resume= takes one run: leave out -m.")
        return resumed(folder, list(hydra.overrides.task))
    if config.study is not None:
        if config.logger and config.logger.group is None:
            config.logger.group = config.study
        return of_study(config, folder)
    if (folder / CONFIG_FILE).exists() and ranks.is_first():
        raise RunError(f"{folder} holds a run already: go on with it by resume={folder}, or choose another folder.")
    if hydra.mode == RunMode.MULTIRUN and config.logger and config.logger.group is None:
        config.logger.group = Path(hydra.sweep.dir).name
    return config


def several_devices(config: DictConfig) -> bool:
    """Whether a run may have more devices than one: how many `auto` and `-1` are is known to its trainer alone."""
    devices = config.trainer.devices
    one = len(devices) == 1 if isinstance(devices, ListConfig) else str(devices) in ("1", "None")
    return not one or config.trainer.num_nodes != 1


def of_study(config: DictConfig, folder: Path) -> DictConfig:
    """The configuration of a run of a study: that with which it was begun, where it was interrupted.

    Raises:
        RunError: the folder holds a run with other settings.
    """
    check_same(config, folder)
    if not (folder / CONFIG_FILE).exists():
        return config
    begun = resumed(folder, [])
    # Where it runs may be another place now.
    begun.logger, begun.data.root = config.logger, config.data.root
    for name in ("accelerator", "devices", "num_nodes", "compile"):
        begun.trainer[name] = config.trainer[name]
    return begun


def check_same(config: DictConfig, folder: Path) -> None:
    """See to it that the folder holds no run with other settings.

    Args:
        config: composed.
        folder: of a run, which need not be there.

    Raises:
        RunError: it does, or its configuration is damaged; the message names the first option that differs.
    """
    wanted = final(config)
    if not (folder / CONFIG_FILE).exists():
        return
    begun = OmegaConf.create(read_config(folder))
    if not {"trainer", "callbacks"} <= begun.keys():
        raise RunError(f"{folder / CONFIG_FILE} is damaged: it is not the configuration of a run of this package.")
    _bring_up_to_date(begun)
    for name, was, asked in material_differences(OmegaConf.to_container(begun), OmegaConf.to_container(wanted)):
        raise RunError(
            f"{folder} holds a run with {name}={was}, and {name}={asked} is asked for: a study keeps its settings. "
            "Choose another folder by hydra.sweep.dir=, or remove that one."
        )


def resumed(folder: Path, overrides: list[str]) -> DictConfig:
    """The configuration that the run in `folder` was started with, and what may be changed of it.

    Raises:
        RunError: the folder holds no run.
        ConfigError: an override would make it another run, or is none of its options.
    """
    changes = [override for override in overrides if not override.startswith("resume=")]
    fixed = [change for change in changes if not change.startswith(RESUMABLE)]
    if fixed:
        raise ConfigError(
            f"{' '.join(fixed)} cannot be set beside resume=: a resumed run keeps its configuration. "
            "Only trainer.*, logger.*, logger=none and data.root may change."
        )
    config = OmegaConf.load(config_path(folder))
    _bring_up_to_date(config)
    OmegaConf.set_struct(config, True)
    try:
        config.merge_with_dotlist([change for change in changes if change != NO_LOGGER])
    except (ConfigAttributeError, ConfigKeyError) as error:
        raise ConfigError(f"{error.full_key}: the run has no such option.") from None
    if NO_LOGGER in changes:
        config.logger = None
    assert isinstance(config, DictConfig)
    return config


def _bring_up_to_date(config: DictConfig | ListConfig) -> None:
    """Give the configuration of a run of an earlier version the options of this one."""
    config.setdefault("study", None)
    config.trainer.setdefault("compile", False)
    config.trainer.setdefault("num_nodes", 1)
    if config.callbacks.get("progress"):
        config.callbacks.progress.pop("refresh_rate", None)


def final(config: DictConfig) -> DictConfig:
    """Every option with its final value; the data are found from any working directory."""
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    assert isinstance(resolved, DictConfig), "made of one"
    root, pictures = Path(resolved.data.root).expanduser(), resolved.data.get("folder")
    resolved.data.root = str(root.absolute())
    if pictures and Path(pictures).expanduser().is_dir():  # else it is in root
        resolved.data.folder = str(Path(pictures).expanduser().absolute())
    return resolved


def save(config: DictConfig, folder: Path) -> None:
    """config.yaml: every option with its final value."""
    write_atomically(folder / CONFIG_FILE, OmegaConf.to_yaml(final(config)))


def discard_if_empty() -> bool:
    """Remove the current job's folder if it holds no part of a run: a refused command leaves nothing behind.

    Returns:
        Whether it held none.
    """
    folder = folder_of_job()
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    empty = names <= {f"{HydraConfig.get().job.name}.log", FAILURE_FILE, ID_FILE, "wandb"}
    if empty:
        shutil.rmtree(folder, ignore_errors=True)
    return empty


def job_name() -> str:
    """In a multirun, which job it is, to stand before an error's message."""
    hydra = HydraConfig.get()
    return f"{hydra.sweep.subdir}: " if hydra.mode == RunMode.MULTIRUN else ""

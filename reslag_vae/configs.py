"""The configuration of a job: composed by Hydra, or that of the run to resume."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from reslag_vae.errors import ConfigError
from reslag_vae.files import write_atomically
from reslag_vae.runs import CONFIG_FILE, config_path

# What may differ in a resumed run: where and how long it runs, not what it is.
NO_LOGGER = "logger=none"
RESUMABLE = ("trainer.", "logger.", NO_LOGGER, "data.root=")


def run_folder(resume: str | None, new: str) -> str:
    """Hydra's resolver for the run's folder: that of the run to resume, or a new one.

    Raises:
        RunError: there is no run to resume; nothing is written then.
    """
    if resume is None:
        return new
    config_path(Path(resume))
    return resume


OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)


def of_job(config: DictConfig) -> tuple[DictConfig, Path]:
    """The configuration of Hydra's current job with every reference resolved, and its folder."""
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    if config.resume is not None:
        config = resumed(folder, list(hydra.overrides.task))
    elif hydra.mode == RunMode.MULTIRUN and config.logger and config.logger.group is None:
        config.logger.group = Path(hydra.sweep.dir).name
    return config, folder


def resumed(folder: Path, overrides: list[str]) -> DictConfig:
    """The configuration that the run in `folder` was started with, and what may be changed of it.

    Raises:
        RunError: the folder holds no run.
        ConfigError: an override would make it another run.
    """
    changes = [override for override in overrides if not override.startswith("resume=")]
    fixed = [change for change in changes if not change.startswith(RESUMABLE)]
    if fixed:
        raise ConfigError(
            f"{' '.join(fixed)} cannot be set beside resume=: a resumed run keeps its configuration. "
            "Only trainer.*, logger.*, logger=none and data.root may change."
        )
    config = OmegaConf.load(config_path(folder))
    OmegaConf.set_struct(config, True)
    config.merge_with_dotlist([change for change in changes if change != NO_LOGGER])
    if NO_LOGGER in changes:
        config.logger = None
    assert isinstance(config, DictConfig)
    return config


def save(config: DictConfig, folder: Path) -> None:
    """config.yaml: every option with its final value."""
    resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
    write_atomically(folder / CONFIG_FILE, OmegaConf.to_yaml(resolved))

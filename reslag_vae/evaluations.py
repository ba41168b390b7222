"""Finished runs evaluated from their checkpoints alone, and compared: what evaluate.py does."""

import glob
import logging
from pathlib import Path

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from rich.console import Console

from reslag_vae import runs
from reslag_vae.comparison import compare
from reslag_vae.data import CelebA, ImageDataModule
from reslag_vae.errors import ConfigError
from reslag_vae.evaluated import Evaluated, Wanted, evaluate_run, show
from reslag_vae.evaluation.progress import shown
from reslag_vae.evaluation.subject import Settings, Subject
from reslag_vae.loading import Run, load_data, read_run
from reslag_vae.tracking import ID_FILE, add_evaluation
from reslag_vae.wiring import flat_names, instantiate

log = logging.getLogger(__name__)

# Options that count something, and their least value.
LEAST = {"samples": 2, "reference": 2, "train_images": 10, "tsne": 0, "seed": 0}
CHOICES = {
    "split": ("test", "val"),
    "checkpoint": ("best", "last"),
    "figures": (True, False),
    "perceptual": (True, False),
}


def evaluate(config: DictConfig) -> list[Evaluated]:
    """Evaluate every run that the configuration names (conf/evaluate.yaml), and compare several.

    What can be wrong with options, folders and data is found before the first run is evaluated.

    Raises:
        ConfigError: an option is out of its range, or no run is there.
        RunError: a run's folder is damaged, or none of ours.
        DataError: so are its data.
    """
    if OmegaConf.is_missing(config, "run"):
        raise ConfigError("run= is missing: name a run's folder, as in run=runs/mnist/lagging/2026-01-31_12-00-00.")
    settings, wanted, device = settings_of(config), wanted_of(config), device_of(config.device)
    read = [read_run(folder, config.checkpoint) for folder in folders(config.run)]
    datasets = [load_data(run.folder, config.root) for run in read]
    for run, data in zip(read, datasets, strict=True):
        check(run, data, config)
    results = []
    for run, data in zip(read, datasets, strict=True):
        subject = Subject(run.model.to(device), data, settings, shown)
        results.append(evaluate_run(run, subject, wanted))
        run.model.cpu()
        show(results[-1])
        if config.logger and (run.folder / ID_FILE).exists():
            log_to_wandb(config.logger, results[-1], data)
    for path in compare(results, Path(config.out)) if len(results) > 1 else []:
        Console().print(f"  {path}", soft_wrap=True, highlight=False)
    return results


def settings_of(config: DictConfig) -> Settings:
    """The settings that the numbers depend on.

    Raises:
        ConfigError: an option is out of its range.
    """
    for name, least in LEAST.items():
        if type(config[name]) is not int or config[name] < least:
            raise ConfigError(f"{name}={config[name]}: must be a whole number, at least {least}.")
    for name, choices in CHOICES.items():
        if config[name] not in choices:
            raise ConfigError(f"{name}={config[name]}: choose one of {', '.join(map(str, choices)).lower()}.")
    return Settings(config.split, config.samples, config.reference, config.train_images, config.seed)


def wanted_of(config: DictConfig) -> Wanted:
    """What is to be given, checked by `settings_of`."""
    weights = None if config.weights is None else Path(config.weights).expanduser()
    return Wanted(config.figures, config.tsne, tuple(config.attributes), config.perceptual, weights)


def device_of(name: str) -> torch.device:
    """The device of that name; `auto` is a GPU if there is one.

    Raises:
        ConfigError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device={name}: {str(error).splitlines()[0]}") from None


def folders(run: str | ListConfig) -> list[Path]:
    """The folders of runs that are named or matched, each once.

    Raises:
        ConfigError: a pattern matches no run.
    """
    if not run:
        raise ConfigError(f"run={run}: that is no run.")
    found: dict[Path, None] = {}
    for name in [run] if isinstance(run, str) else run:
        pattern = glob.escape(name) != name
        paths = [Path(path) for path in sorted(glob.glob(name))] if pattern else [Path(name)]
        matches = [path for path in paths if not pattern or (path / runs.CONFIG_FILE).is_file()]
        if not matches:
            raise ConfigError(f"run={name}: no folder of a run matches.")
        found |= dict.fromkeys(matches)
    return list(found)


def log_to_wandb(node: DictConfig, result: Evaluated, data: ImageDataModule) -> None:
    """Add the results to the run's own W&B run."""
    folder, model = result.run.folder, result.run.model
    logger = instantiate(node)(folder=folder, config=flat_names(result.run.config, data, model))
    numbers = {
        f"{group}/{name}": number.value
        for group, named in result.numbers.items()
        for name, number in named.items()
        if number.value is not None
    }
    try:
        add_evaluation(logger, numbers, {path.stem: path for path in result.pictures})
    finally:
        logger.experiment.finish()


def check(run: Run, data: ImageDataModule, config: DictConfig) -> None:
    """See that the model fits the data, and that the attributes are there; tell of a run that is not finished.

    Raises:
        RunError: the checkpoint and the configuration are of different runs.
        ConfigError: CelebA has no such attribute.
    """
    if tuple(data.image_shape) != run.model.network.image_shape:
        raise runs.RunError(
            f"{run.folder}: its model takes images of {run.model.network.image_shape}, and those of its "
            f"{runs.CONFIG_FILE} are of {tuple(data.image_shape)}."
        )
    if isinstance(data, CelebA) and data.attribute_names:
        for name in config.attributes:
            if name not in data.attribute_names:
                raise ConfigError(f"attributes: there is no {name}; there are {', '.join(data.attribute_names)}.")
    if not (run.folder / runs.RESULT_FILE).exists():
        log.warning("%s has not finished training: its epoch %s is evaluated.", run.folder, run.epoch)

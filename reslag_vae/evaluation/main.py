"""Finished runs evaluated from their checkpoints alone, and compared: what evaluate.py does."""

import logging
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from reslag_vae._runtime.errors import ConfigError, first_line, printable
from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.checks import check, check_identity, make_writable
from reslag_vae.evaluation.compare import compare
from reslag_vae.evaluation.context import Settings, Subject
from reslag_vae.evaluation.folders import to_evaluate
from reslag_vae.evaluation.progress import shown
from reslag_vae.evaluation.record import Evaluated, Wanted, evaluate_run, show
from reslag_vae.options import check_evaluation
from reslag_vae.runs.build import instantiate
from reslag_vae.runs.config import check_trust, plain
from reslag_vae.runs.data import load_data
from reslag_vae.runs.folder import ID_FILE
from reslag_vae.runs.load import Run, read_run
from reslag_vae.runs.option_names import flat_names
from reslag_vae.runs.tracking import add_evaluation

log = logging.getLogger(__name__)


def evaluate(config: DictConfig) -> list[Evaluated]:
    """Evaluate every run that the configuration names (conf/evaluate.yaml), and compare several.

    What can be wrong with options, folders and data is found before the first run is evaluated.

    Raises:
        ConfigError: an option is out of its range, or no run is there.
        RunError: a run's folder is damaged, or none of ours.
        DataError: so are its data.
    """
    check_evaluation(config)
    settings, wanted, device = settings_of(config), wanted_of(config), device_of(config.device)
    trust = check_trust(plain(config.trust))
    read = [read_run(folder, config.checkpoint, trust) for folder in to_evaluate(config)]
    datasets = read_data(read, config, trust)
    for run, data in zip(read, datasets, strict=True):
        check(run, data, settings, wanted)
        check_identity(run, data, accept=config.changed_data == "accept")
    if len(read) > 1:
        make_writable(Path(str(config.out)))
    results = []
    for run, data in zip(read, datasets, strict=True):
        subject = Subject(run.model.to(device), run.objective, data, settings, shown)
        results.append(evaluate_run(run, subject, wanted))
        run.model.cpu()
        show(results[-1])
        if config.logger and (run.folder / ID_FILE).exists():
            log_to_wandb(config.logger, results[-1])
    compared = compare(results, Path(str(config.out))) if len(results) > 1 else []
    for path in compared:
        Console().print(printable(f"  {path}"), soft_wrap=True, highlight=False, markup=False)
    if len(results) > 1 and not compared:
        log.info(
            "No two of the runs were evaluated on the same images: there is nothing to compare."
        )
    return results


def read_data(read: list[Run], config: DictConfig, trust: tuple[str, ...]) -> list[ImageDataModule]:
    """The data of each run; runs of the same data and seed share them."""
    datasets: dict[str, ImageDataModule] = {}
    for run in read:
        key = OmegaConf.to_yaml(run.config.data)
        if key not in datasets:
            datasets[key] = load_data(run.folder, config.root, config.folder, trust)
    return [datasets[OmegaConf.to_yaml(run.config.data)] for run in read]


def settings_of(config: DictConfig) -> Settings:
    """The settings that the numbers depend on."""
    return Settings(
        config.split, config.samples, config.reference, config.train_images, config.seed
    )


def wanted_of(config: DictConfig) -> Wanted:
    """What is to be given."""
    weights = None if config.weights is None else Path(str(config.weights)).expanduser()
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
        raise ConfigError(f"device={name}: {first_line(error)}") from None


def log_to_wandb(node: DictConfig, result: Evaluated) -> None:
    """Add the results to the run's own W&B run, in its project and group; without a word of its own nothing fails."""
    run, subject = result.run, result.subject
    numbers: dict[str, float | str] = {
        f"{group}/{name}": number.value
        for group, named in result.numbers.items()
        for name, number in named.items()
        if number.value is not None
    }
    if result.diagnosis is not None:
        numbers["verdict"] = result.diagnosis.verdict
    try:
        own = {
            name: run.config.logger[name]
            for name in ("project", "group")
            if run.config.get("logger")
        }
        names = {
            "model": run.variant.name,
            "data": subject.data.name,
            "objective": run.preset,
            "schedule": run.schedule.name,
        }
        options = flat_names(run.config, names)
        logger = instantiate(node)(folder=run.folder, config=options, **own)
    except Exception as error:  # the run's configuration may be of another version
        log.warning("W&B does not get this evaluation of %s: %s", run.folder, first_line(error))
        return
    try:
        add_evaluation(
            logger, result.file.stem, numbers, {path.stem: path for path in result.pictures}
        )
    finally:
        logger.close()

"""Finished runs evaluated from their checkpoints alone, and compared: what evaluate.py does."""

import glob
import logging
import os
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from rich.console import Console

from reslag_vae._runtime.errors import ConfigError, first_line, printable
from reslag_vae.data import CelebA, DataError, ImageDataModule
from reslag_vae.evaluation.compare import compare
from reslag_vae.evaluation.context import Settings, Subject
from reslag_vae.evaluation.progress import shown
from reslag_vae.evaluation.record import Evaluated, Wanted, evaluate_run, show
from reslag_vae.options import check_evaluation
from reslag_vae.runs.build import instantiate
from reslag_vae.runs.config import check_trust, plain
from reslag_vae.runs.data import load_data
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CONFIG_FILE, ID_FILE, evaluation_file, read_result
from reslag_vae.runs.formats import read_json
from reslag_vae.runs.identity import CONSEQUENCE, changes
from reslag_vae.runs.load import Run, read_run
from reslag_vae.runs.option_names import flat_names
from reslag_vae.runs.tracking import add_evaluation

log = logging.getLogger(__name__)

# Images of a split: a mixture of 10 Gaussians takes as many.
FEWEST = 10


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


def make_writable(folder: Path) -> None:
    """Make a folder.

    Raises:
        ConfigError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out={folder}: cannot be made: {error}") from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"out={folder}: cannot be written.")


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


def to_evaluate(config: DictConfig) -> list[Path]:
    """The folders of runs that are to be evaluated now.

    With `skip_evaluated` these are the finished ones that have no evaluation of the checkpoint's
    epoch yet.

    Raises:
        ConfigError: there is no run, or a pattern matches none.
    """
    found = folders(config)
    if not config.skip_evaluated:
        return found
    finished = [path for path in found if read_result(path)]
    left = [path for path in finished if not is_evaluated(path, config.split, config.checkpoint)]
    log.info(
        "%d runs have not finished, %d have their evaluation already.",
        len(found) - len(finished),
        len(finished) - len(left),
    )
    return left


def is_evaluated(folder: Path, split: str, checkpoint: str) -> bool:
    """Whether a finished run has an evaluation of this split and checkpoint, of the epoch that it ended with."""
    try:
        content = read_json(evaluation_file(folder, split, checkpoint))
    except RunError:
        return False
    epoch = read_result(folder).get("epoch" if checkpoint == "best" else "epochs_run")
    return bool(content) and content.get("epoch") == epoch


def folders(config: DictConfig) -> list[Path]:
    """The folders of runs that `run` names or matches, each once.

    Raises:
        ConfigError: there is no run, or a pattern matches none.
    """
    run = "" if OmegaConf.is_missing(config, "run") else config.run
    listed: list[Any] = list(run) if isinstance(run, ListConfig) else [run]
    names = [os.path.expanduser(name) for name in listed if isinstance(name, str) and name]
    if not names or len(names) < len(listed):
        raise ConfigError(
            f"run={run}: name a run's folder, as in run=runs/mnist/lagging/2026-01-31_12-00-00."
        )
    found: dict[Path, None] = {}
    for name in names:
        pattern = glob.escape(name) != name and not Path(name).exists()
        paths = [Path(path) for path in sorted(glob.glob(name))] if pattern else [Path(name)]
        matches = [path for path in paths if not pattern or (path / CONFIG_FILE).is_file()]
        if not matches:
            raise ConfigError(f"run={name}: no folder of a run matches.")
        found |= dict.fromkeys(matches)
    return list(found)


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


def check(run: Run, data: ImageDataModule, settings: Settings, wanted: Wanted) -> None:
    """See that a run can be evaluated and its folder written; tell of one that is not finished.

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
        for name in wanted.attributes:
            if name not in data.attribute_names:
                raise ConfigError(
                    f"attributes: there is no {name}; there are {', '.join(data.attribute_names)}."
                )
    if not os.access(run.folder, os.W_OK):
        raise RunError(f"{run.folder} cannot be written.")
    if not run.images:
        log.warning(
            "%s has not finished training, by its files: its epoch %s is evaluated.",
            run.folder,
            run.epoch,
        )


def check_identity(run: Run, data: ImageDataModule, accept: bool) -> None:
    """See that the data are those that a run was trained on.

    Args:
        run: read back.
        data: that it is to be evaluated on.
        accept: whether others will do, with a word in the log.

    Raises:
        DataError: they are not.
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

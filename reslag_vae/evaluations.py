"""Finished runs evaluated: numbers and pictures into their folders and W&B, from their checkpoints alone."""

import glob
import logging
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from reslag_vae import runs
from reslag_vae.data import ImageDataModule
from reslag_vae.errors import ConfigError
from reslag_vae.evaluation.collapse import Diagnosis, diagnose
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.numbers import Numbers
from reslag_vae.evaluation.progress import shown
from reslag_vae.evaluation.subject import Settings, Subject
from reslag_vae.loading import load, load_config, load_data
from reslag_vae.models import BaseVAE
from reslag_vae.process import peak_memory
from reslag_vae.results import format_number

log = logging.getLogger(__name__)

EVALUATION_FILE = "evaluation.json"


@dataclass(frozen=True)
class Run:
    """A finished run read back.

    Attributes:
        folder: of the run.
        config: that it was made with.
        model: of the checkpoint, on the device.
        checkpoint: `best` or `last`.
        epoch: of the checkpoint, from 1.
    """

    folder: Path
    config: DictConfig
    model: BaseVAE
    checkpoint: str
    epoch: int


def evaluate(config: DictConfig) -> None:
    """Evaluate every run that the configuration names (conf/evaluate.yaml), and compare several.

    Everything that can be wrong with a run's folder is found before the first one is evaluated.

    Raises:
        ConfigError: an option is out of its range, or no run is there.
        RunError: a run's folder is damaged, or none of ours.
        DataError: so are its data.
    """
    settings, device = settings_of(config), device_of(config.device)
    read = [read_run(folder, config.checkpoint, device) for folder in folders(config.run)]
    for run in read:
        evaluate_run(run, load_data(run.folder, config.root), settings)


def settings_of(config: DictConfig) -> Settings:
    """The settings that the numbers depend on.

    Raises:
        ConfigError: one is out of its range.
    """
    smallest = {"samples": 2, "reference": 2, "train_images": 10, "tsne": 0, "seed": 0}
    for name, least in smallest.items():
        if type(config[name]) is not int or config[name] < least:
            raise ConfigError(f"{name}={config[name]}: must be a whole number, at least {least}.")
    for name, allowed in (("split", ("test", "val")), ("checkpoint", ("best", "last"))):
        if config[name] not in allowed:
            raise ConfigError(f"{name}={config[name]}: choose one of {', '.join(allowed)}.")
    return Settings(config.split, config.samples, config.reference, config.train_images, config.seed)


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


def folders(run: str | list[str]) -> list[Path]:
    """The folders of runs that are named or matched, each once.

    Raises:
        ConfigError: a pattern matches no run.
    """
    found: dict[Path, None] = {}
    for name in [run] if isinstance(run, str) else run:
        pattern = glob.escape(name) != name
        paths = [Path(path) for path in sorted(glob.glob(name))] if pattern else [Path(name)]
        matches = [path for path in paths if not pattern or (path / runs.CONFIG_FILE).is_file()]
        if not matches:
            raise ConfigError(f"run={name}: no folder of a run matches.")
        found |= dict.fromkeys(matches)
    return list(found)


def read_run(folder: Path, checkpoint: str, device: torch.device) -> Run:
    """A run's model and configuration.

    Raises:
        RunError: something in the folder is missing, damaged, or none of ours.
    """
    config, model = load_config(folder), load(folder, checkpoint)
    epoch = runs.read_checkpoint(runs.checkpoint_path(folder, checkpoint))["epoch"] + 1
    if not (folder / runs.RESULT_FILE).exists():
        log.warning("%s has not finished training: its %s epoch so far is evaluated.", folder, checkpoint)
    return Run(folder, config, model.to(device), checkpoint, epoch)


def evaluate_run(run: Run, data: ImageDataModule, settings: Settings) -> None:
    """Measure and draw one run."""
    start = monotonic()
    subject = Subject(run.model, data, settings, shown)
    groups = measure(subject)
    diagnosis = None if run.model.deterministic else diagnose(subject.codes.means, subject.bounds.halves)
    result = summary(run, subject, groups, diagnosis) | {"seconds": round(monotonic() - start, 1)}
    runs.write_json(run.folder / EVALUATION_FILE, result)
    show(run, groups, "" if diagnosis is None else diagnosis.verdict)


def summary(run: Run, subject: Subject, groups: dict[str, Numbers], diagnosis: Diagnosis | None) -> dict[str, Any]:
    """What evaluation.json says."""
    model = run.model
    return {
        "model": model.name,
        "data": subject.data.name,
        "objective": model.objective.name,
        "schedule": model.schedule.name,
        "training_seed": run.config.seed,
        "checkpoint": run.checkpoint,
        "epoch": run.epoch,
        "settings": subject.settings._asdict(),
        "verdict": None if diagnosis is None else {"collapse": diagnosis.kind, "sentence": diagnosis.verdict},
        "numbers": {group: {name: n.as_dict() for name, n in numbers.items()} for group, numbers in groups.items()},
        "latent_dimensions": None if diagnosis is None else dimensions(subject, diagnosis),
        "device": str(next(model.parameters()).device),
        "peak_memory_mb": round(peak_memory() / 1e6),
        "versions": runs.versions(),
        "commit": runs.commit(),
    }


def dimensions(subject: Subject, diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """KL in nats, and use by encoder and decoder, of each latent dimension."""
    kl = subject.codes.posterior.kl()
    assert kl is not None, "only a posterior with a density is diagnosed"
    names = ("kl", "encoder_uses_it", "decoder_uses_it")
    columns = (kl.double().mean(0).tolist(), diagnosis.active.tolist(), diagnosis.wanted.tolist())
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def show(run: Run, groups: dict[str, Numbers], verdict: str) -> None:
    """The numbers as a table, with their standard errors over images."""
    table = Table(title=f"{run.folder}, epoch {run.epoch}", title_justify="left")
    for column in ("", "value", "± s.e.", "unit"):
        table.add_column(column, justify="left" if column in ("", "unit") else "right", no_wrap=column != "unit")
    for group, numbers in groups.items():
        table.add_section()
        table.add_row(f"[bold]{group}")
        for name, number in numbers.items():
            error = "" if number.error is None else f"{number.error:.2g}"
            unit = number.protocol if number.value is None else number.unit
            table.add_row(f"  {name}", format_number(number.value), error, unit)
    console = Console()
    console.print(table)
    if verdict:
        console.print(verdict)

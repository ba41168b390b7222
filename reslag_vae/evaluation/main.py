"""The evaluation of finished runs from their checkpoints, and their comparison."""

import logging
from dataclasses import replace
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime.errors import ConfigError, first_line
from reslag_vae._runtime.process import allow_rounded_products
from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.checks import check, check_identity, make_writable
from reslag_vae.evaluation.compare import by_images, by_title, compare
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.folders import folders_to_evaluate
from reslag_vae.evaluation.metrics.pretrained import download_cache, prepare
from reslag_vae.evaluation.printing import print_lines, print_numbers, print_run
from reslag_vae.evaluation.progress import progress_bar
from reslag_vae.evaluation.record import EvaluatedRun, Outputs, evaluate_run
from reslag_vae.evaluation.settings import Settings
from reslag_vae.options import check_evaluation
from reslag_vae.runs.config import check_trust, plain, point_to_own_images
from reslag_vae.runs.data import load_data
from reslag_vae.runs.folder import ID_FILE
from reslag_vae.runs.load import Run, read_run
from reslag_vae.runs.loggers import build_trackers
from reslag_vae.runs.option_names import flat_names
from reslag_vae.runs.tracking import add_evaluation

log = logging.getLogger(__name__)

# Of W&B's options those that stay as they were when the run was begun
OF_RUN = ("project", "group", "tags", "notes")


def evaluate(config: DictConfig) -> list[EvaluatedRun]:
    """Evaluate every run that the configuration names, and compare several.

    What can be wrong with options, folders and data is found before the first run is evaluated.

    Args:
        config: the configuration, as conf/evaluate.yaml composes it.

    Raises:
        ConfigError: an option is out of its range, or there is no run.
        RunError: a run's folder is damaged, or not one of this package.
        DataError: a run's data are damaged, or not those that it was trained on.
        UserError: what the perceptual distances need is missing.
    """
    check_evaluation(config)
    allow_rounded_products(False)
    settings, outputs, device = settings_of(config), outputs_of(config), device_named(config.device)
    if outputs.perceptual:
        prepare(outputs.weights, outputs.inception)
    trust = check_trust(plain(config.trust))
    runs = [read_run(folder, config.checkpoint, trust) for folder in folders_to_evaluate(config)]
    datasets = read_data(runs, config, trust)
    for run, data in zip(runs, datasets, strict=True):
        check(run, data, settings, outputs)
        check_identity(run, data, accept=config.changed_data == "accept")
    if len(runs) > 1:
        make_writable(Path(str(config.out)))
    results = []
    for run, data in zip(runs, datasets, strict=True):
        subject = Subject(run.model.to(device), run.objective, data, settings, progress_bar)
        result = evaluate_run(run, subject, outputs)
        # Without what was computed of it: codes of many runs would fill the memory.
        results.append(result._replace(subject=replace(subject)))
        run.model.cpu()
        print_run(results[-1])
        if config.logger:
            track(config.logger, results[-1])
    if len(results) > 1:
        compare_runs(results, Path(str(config.out)))
    for group in by_images(results).values():
        print_numbers(by_title(group))
    return results


def compare_runs(results: list[EvaluatedRun], folder: Path) -> None:
    """Write the comparison of several runs into a folder, and print the names of its files."""
    paths = compare(results, folder)
    print_lines(f"  {path}" for path in paths)
    if not paths:
        log.info(
            "No two of the runs were evaluated on the same images: there is nothing to compare."
        )


def read_data(runs: list[Run], config: DictConfig, trust: tuple[str, ...]) -> list[ImageDataModule]:
    """Return the data of each run; those share them whose data would be the same.

    Args:
        runs: the runs, as read from their folders.
        config: configuration of the evaluation, which may say where the data lie now.
        trust: foreign modules that data modules may come from.
    """
    datasets: dict[str, ImageDataModule] = {}
    for run in runs:
        key = data_key(run)
        if key not in datasets:
            datasets[key] = load_data(run.folder, config.root, config.folder, trust)
    return [datasets[data_key(run)] for run in runs]


def data_key(run: Run) -> str:
    """Return what the data of a run depend on: their options, and what they tell its model."""
    data = plain(run.config.data)
    point_to_own_images(data, run.folder)
    condition = plain(OmegaConf.select(run.config, "model.model.condition"))
    return str([data, condition])


def settings_of(config: DictConfig) -> Settings:
    """Return the settings of a configuration that the numbers depend on."""
    return Settings(
        config.split,
        config.samples,
        config.reference,
        config.train_images,
        config.seed,
        config.classifiers,
    )


def outputs_of(config: DictConfig) -> Outputs:
    """Return the optional outputs that a configuration asks for.

    LPIPS alone downloads nothing: its weights are in a folder, be it PyTorch's cache.
    """
    weights = None if config.weights is None else Path(str(config.weights)).expanduser()
    if weights is None and config.perceptual == "lpips":
        weights = download_cache()
    return Outputs(
        config.figures, config.tsne, tuple(config.attributes), config.perceptual, weights
    )


def device_named(name: str) -> torch.device:
    """Return the device of a name; `auto` is a GPU if there is one.

    Raises:
        ConfigError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device={name}: {first_line(error)}") from None


def track(node: DictConfig, result: EvaluatedRun) -> None:
    """Add numbers and pictures to wherever the run is shown, in its own project and group.

    Whatever keeps a logger from starting is a warning in the log, and no error. W&B gets the
    evaluations of those runs alone that it knows.

    Args:
        node: the configuration's `logger`.
        result: the evaluated run.
    """
    run, node = result.run, OmegaConf.create(plain(node))
    if not (run.folder / ID_FILE).exists():
        node.pop("_target_", None)
    try:
        begun = run.config.get("logger") or {}
        node.update({name: begun[name] for name in OF_RUN if name in begun and name in node})
        names = {
            "model": run.variant.name,
            "data": result.subject.data.name,
            "objective": run.preset,
            "schedule": run.schedule.name,
        }
        options = flat_names(run.config, names)
        trackers = build_trackers(node, run.folder, options)
    except Exception as error:  # the run's configuration may be of another version
        log.warning("%s is shown without this evaluation: %s", run.folder, first_line(error))
        return
    pictures = {path.stem: path for path in result.pictures}
    for tracker in trackers:
        add_evaluation(tracker, result.file.stem, logged_values(result), pictures)
        tracker.finalize("success")
        tracker.close()


def logged_values(result: EvaluatedRun) -> dict[str, float | str]:
    """Return the numbers that a run has, by "group/name", and its verdict."""
    values: dict[str, float | str] = {}
    for group, numbers in result.numbers.items():
        for name, number in numbers.items():
            if number.value is not None:
                values[f"{group}/{name}"] = number.value
    if result.diagnosis is not None:
        values["verdict"] = result.diagnosis.verdict
    return values

"""The end of a run: its best checkpoint is measured, and metrics.json written and shown."""

import logging
from pathlib import Path
from typing import Any

from lightning import Trainer

from reslag_vae._runtime.process import exact_products
from reslag_vae._runtime.terminal import override
from reslag_vae.apply.calibration import calibrate, save_calibration
from reslag_vae.data import ImageDataModule
from reslag_vae.latents.verdicts import reservation
from reslag_vae.objectives import Terms
from reslag_vae.runs.checkpoints import checkpoint_path, checkpoint_to_resume, read_checkpoint
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import PER_IMAGE_FILE, checkpoint_file, write_result
from reslag_vae.runs.formats import write_arrays
from reslag_vae.runs.picture_format import write_format
from reslag_vae.runs.tracking import trackers
from reslag_vae.training.at_once import minibatches_of_epoch
from reslag_vae.training.callbacks import (
    BestAndLast,
    CodeTable,
    CollapseMonitor,
    ImageGrids,
    TrainingCurves,
    callback_of,
)
from reslag_vae.training.callbacks.checkpoint import score_of
from reslag_vae.training.measure import measure, per_image
from reslag_vae.training.metrics_json import summary
from reslag_vae.training.system import BaseVAE
from reslag_vae.training.tables import show_result

log = logging.getLogger(__name__)


def draw_best(trainer: Trainer, model: BaseVAE, data: ImageDataModule, epoch: int) -> None:
    """Replace the pictures that were drawn last by those of the best epoch, and draw all epochs.

    Args:
        trainer: trainer whose callbacks draw the pictures.
        model: model with the weights of the best epoch.
        data: data that it was trained on.
        epoch: number of the best epoch, from 1.
    """
    if images := callback_of(trainer, ImageGrids):
        images.take(data)  # a resumed run that had all epochs has validated none
        images.draw(trainer, model, epoch)
    if collapse := callback_of(trainer, CollapseMonitor):
        lacking = reservation(epoch * minibatches_of_epoch(trainer))
        collapse.draw(trainer, model, epoch, lacking)
    if curves := callback_of(trainer, TrainingCurves):
        curves.draw(trainer, model)
    if codes := callback_of(trainer, CodeTable):
        codes.draw(trainer, model)


def track_result(trainer: Trainer, result: dict[str, Any], folder: Path) -> None:
    """Show a run's result, and its model, wherever the run is shown.

    Args:
        trainer: trainer after `fit`.
        result: content of metrics.json.
        folder: folder of the run.
    """
    numbers = {
        f"best/{split}/{name}": value
        for split in ("val", "test")
        for name, value in result[split].items()
        if value is not None
    }
    facts = {
        "best_epoch": result["epoch"],
        "epochs": result["epochs_run"],
        "seconds": result["seconds"],
        "stopped_because": result["stopped_because"],
    }
    collapse = callback_of(trainer, CollapseMonitor)
    if collapse and collapse.verdict:
        facts["verdict"] = collapse.verdict
    for tracker in trackers(trainer.loggers):
        tracker.log_metrics(numbers)
        tracker.summarise(facts)
        tracker.keep_model(checkpoint_path(folder, "best"), facts)


def finish(
    trainer: Trainer, model: BaseVAE, data: ImageDataModule, folder: Path, origin: dict[str, Any]
) -> float:
    """Measure the best checkpoint, and write what `reslag apply` reads, and then metrics.json.

    Args:
        trainer: trainer after `fit`.
        model: trained model, which gets the best checkpoint's weights.
        data: data that it was trained on.
        folder: folder of the run.
        origin: what was known at the start, for metrics.json: see `metrics_json.origin`.

    Returns:
        The monitored value of the best epoch.

    Raises:
        RunError: no epoch has ended, or none had a finite monitored value, so there is no best
            checkpoint.
    """
    if not checkpoint_file(folder, "last").exists():
        raise RunError(
            f"{folder}: training ended before its first epoch did, as by a callback that stops it; "
            f"{override('resume', folder)} goes on."
        )
    checkpoint = read_checkpoint(checkpoint_path(folder, "best"))
    model.load_state_dict(checkpoint["state_dict"])
    model.to(trainer.strategy.root_device)
    log.info("Measuring the best epoch, %d.", checkpoint["epoch"] + 1)
    parts: list[Terms] = []
    with exact_products():
        metrics = measure(model, data, parts.append)
        scores = calibrate(model.model, model.objective, data.split("val"))
    draw_best(trainer, model, data, checkpoint["epoch"] + 1)
    last = checkpoint_to_resume(folder)
    assert last is not None, "there is a best checkpoint, so there is a last one"
    epochs_run = read_checkpoint(last)["epoch"] + 1
    keeper = callback_of(trainer, BestAndLast)
    assert keeper is not None, "the configuration keeps no checkpoints"
    score = score_of(checkpoint, keeper.monitor)
    assert score is not None, "a best checkpoint has a finite value"
    monitored = {"name": keeper.monitor, "value": score}
    result = (
        metrics
        | summary(trainer, model, data, checkpoint["epoch"] + 1, epochs_run)
        | {"monitored": monitored}
    )
    write_format(folder, data.name, data.class_names, data.split("val"))
    save_calibration(folder, scores, model.model)
    mass = model.model.likelihood.discrete
    write_arrays(folder / PER_IMAGE_FILE, per_image(parts, mass))
    track_result(trainer, result, folder)
    # Last, for it says that the run is finished (`runs.folder.is_finished`).
    write_result(folder, result | origin)
    show_result(result, folder, mass)
    return score

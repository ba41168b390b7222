"""The end of a run: its best checkpoint measured, and what is shown and kept of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Trainer
from rich.table import Table

from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.terminal import console
from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.epoch import evaluate, measure_yardstick
from reslag_vae.evaluation.numbers import format_number
from reslag_vae.models.generative import GROUPS
from reslag_vae.objectives import Terms
from reslag_vae.runs import provenance
from reslag_vae.runs.checkpoints import checkpoint_path, checkpoint_to_resume, read_checkpoint
from reslag_vae.runs.folder import PER_IMAGE_FILE, RESULT_FILE, figure_files, write_result
from reslag_vae.runs.formats import write_arrays
from reslag_vae.training.callbacks import (
    BestAndLast,
    CollapseMonitor,
    ImageGrids,
    Throughput,
    callback_of,
)
from reslag_vae.training.system import BaseVAE

METRICS = ("loss", "rec", "kl", "kl_per_dim", "elbo", "bits_per_dim", "sigma2")


def measure(
    model: BaseVAE, data: ImageDataModule, each: Callable[[Terms], object] = lambda _: None
) -> dict[str, dict[str, float | None]]:
    """Validation and test metrics of a trained model, its yardstick measured on the whole training split.

    What a variant does not have, such as an autoencoder's KL, is None.

    Args:
        model: trained.
        data: what it was trained on.
        each: is given the per-image terms of each minibatch of the test split.
    """
    own, objective = model.model, model.objective
    train_mse = measure_yardstick(own, objective, data.in_order("train"))
    model.train_mse.fill_(train_mse)
    test = evaluate(own, objective, data.in_order("test"), each).metrics(train_mse)
    # The pictures drawn after it show validation, as during training.
    model.evaluation = evaluate(own, objective, data.in_order("val"))
    val = model.evaluation.metrics(train_mse)
    return {"val": {**dict.fromkeys(METRICS), **val}, "test": {**dict.fromkeys(METRICS), **test}}


def per_image(parts: list[Terms]) -> dict[str, np.ndarray]:
    """(N,) float32 in the order of the images: `rec`, the sum of squared errors, and `kl`, in nats, if there is one."""
    rec = torch.cat([part.rec for part in parts])
    kls = [part.kl for part in parts if part.kl is not None]
    arrays = {"rec": rec} | ({"kl": torch.cat(kls)} if kls else {})
    return {name: values.float().cpu().numpy() for name, values in arrays.items()}


def summary(
    trainer: Trainer, model: BaseVAE, data: ImageDataModule, epoch: int, epochs_run: int
) -> dict[str, Any]:
    """What metrics.json says beside the metrics."""
    throughput = callback_of(trainer, Throughput) or Throughput()
    counts = {
        name: sum(p.numel() for m in model.group(name) for p in m.parameters()) for name in GROUPS
    }
    device = trainer.strategy.root_device
    return {
        "model": model.name,
        "data": data.name,
        "objective": model.preset,
        "schedule": model.schedule.name,
        "images": {name: len(data.split(name)) for name in ("train", "val", "test")},
        "inventory": data.inventory.as_dict(),
        "epoch": epoch,
        "epochs_run": epochs_run,
        "aggressive_epochs": model.schedule.aggressive_epochs(epochs_run),
        "stopped_because": stopped_because(trainer, model, epochs_run),
        "seconds": round(throughput.seconds, 3),
        "images_per_second": round(throughput.images_per_second, 1),
        "parameters": counts | {"total": sum(counts.values())},
        "yardstick_sigma2": float(model.train_mse),
        "compiled": model.compiled is not None and not model.compiled.failed,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "versions": provenance.versions(),
    }


def draw_best(trainer: Trainer, model: BaseVAE, epoch: int) -> None:
    """Replace the pictures of the last epoch by those of the tested one."""
    if images := callback_of(trainer, ImageGrids):
        images.draw(trainer, model, epoch)
    if collapse := callback_of(trainer, CollapseMonitor):
        collapse.draw(trainer, model, epoch)


def stopped_because(trainer: Trainer, model: BaseVAE, epochs_run: int) -> str:
    """Why training ended, in words."""
    if model.stopped_because is not None:
        return model.stopped_because
    if epochs_run == trainer.max_epochs:
        return f"all {epochs_run} epochs were run"
    return f"the trainer was told to stop after {epochs_run} of {trainer.max_epochs} epochs"


def finish(
    trainer: Trainer, model: BaseVAE, data: ImageDataModule, folder: Path, origin: dict[str, Any]
) -> float:
    """Measure the best checkpoint, write per_image.npz and then metrics.json; returns the monitored value.

    Args:
        trainer: after `fit`.
        model: what it trained; gets the best checkpoint's weights.
        data: what it trained on.
        folder: the run's.
        origin: seed, commit and whatever else was known at the start, for metrics.json.

    Raises:
        RunError: no epoch had a finite monitored value, so that there is no best checkpoint.
    """
    checkpoint = read_checkpoint(checkpoint_path(folder, "best"))
    model.load_state_dict(checkpoint["state_dict"])
    model.to(trainer.strategy.root_device)
    parts: list[Terms] = []
    metrics = measure(model, data, parts.append)
    draw_best(trainer, model, checkpoint["epoch"] + 1)
    last = checkpoint_to_resume(folder)
    assert last is not None, "there is a best checkpoint, so there is a last one"
    epochs_run = read_checkpoint(last)["epoch"] + 1
    keeper = callback_of(trainer, BestAndLast)
    assert keeper is not None, "the configuration keeps no checkpoints"
    assert keeper.best_score is not None, "there is a best checkpoint, so it has a score"
    monitored = {"name": keeper.monitor, "value": keeper.best_score}
    result = (
        metrics
        | summary(trainer, model, data, checkpoint["epoch"] + 1, epochs_run)
        | {"monitored": monitored}
    )
    write_arrays(folder / PER_IMAGE_FILE, per_image(parts))
    # Last: a run whose metrics.json is there is finished.
    write_result(folder, result | origin)
    for logger in trainer.loggers:
        logger.log_metrics(
            {
                f"best/{split}/{k}": v
                for split in metrics
                for k, v in metrics[split].items()
                if v is not None
            }
        )
    show(result, folder)
    return keeper.best_score


def show(result: dict[str, Any], folder: Path) -> None:
    """A short table of the result, and where its files are."""
    table = Table(
        title=f"{result['model']} on {result['data']}, epoch {result['epoch']}",
        title_justify="left",
    )
    for column in ("", "val", "test"):
        table.add_column(column, justify="right" if column else "left")
    for name in METRICS:
        table.add_row(name, *(format_number(result[split][name]) for split in ("val", "test")))
    shown = console()
    shown.print(table)
    shown.print(
        f"stopped because {result['stopped_because']}; {result['images_per_second']:.0f} images/s"
    )
    for path in (folder / RESULT_FILE, *figure_files(folder)):
        shown.print(f"  {printable(str(path))}", soft_wrap=True, highlight=False)


def show_card(model: BaseVAE) -> None:
    """The objective card: what is minimised, in which units."""
    table = Table(title="objective card", title_justify="left", show_header=False)
    for label, text in (
        model.card() | {"schedule": str(model.schedule), "optimizer": str(model.optimizer)}
    ).items():
        table.add_row(label, text)
    console().print(table)

"""What metrics.json says of a run beside its metrics; `training.finish` writes the file."""

from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Timer
from omegaconf import DictConfig

from reslag_vae.data import ImageDataModule
from reslag_vae.models.generative import GROUPS
from reslag_vae.runs import provenance
from reslag_vae.training.callbacks import Throughput, callback_of
from reslag_vae.training.system import BaseVAE


def origin(config: DictConfig) -> dict[str, Any]:
    """Return what metrics.json holds that is known at a run's start: how it began, by which code.

    Args:
        config: configuration of the run.
    """
    return {
        "seed": config.seed,
        "precision": config.trainer.precision,
        "commit": provenance.commit(),
    }


def summary(
    trainer: Trainer, model: BaseVAE, data: ImageDataModule, epoch: int, epochs_run: int
) -> dict[str, Any]:
    """Return what metrics.json holds beside the metrics.

    Args:
        trainer: trainer after `fit`.
        model: trained model.
        data: data that it was trained on.
        epoch: number of the best epoch, from 1.
        epochs_run: number of epochs that were run.
    """
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
        "tf32": device.type == "cuda" and torch.backends.cudnn.allow_tf32,
        "graphed": model.graphed is not None and not model.graphed.failed,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "versions": provenance.versions(),
    }


def stopped_because(trainer: Trainer, model: BaseVAE, epochs_run: int) -> str:
    """Return the reason why training has ended, in words."""
    if model.stopped_because is not None:
        return model.stopped_because
    if epochs_run == trainer.max_epochs:
        return f"all {epochs_run} epochs were run" if epochs_run > 1 else "its one epoch was run"
    reason = f"the trainer was told to stop after {epochs_run} of {trainer.max_epochs} epochs"
    timer = callback_of(trainer, Timer)
    left = None if timer is None else timer.time_remaining()
    return f"{reason}, by trainer.max_time" if left is not None and left <= 0 else reason

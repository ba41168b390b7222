"""checkpoints/best.ckpt and checkpoints/last.ckpt."""

import math
import os
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from reslag_vae.errors import ConfigError

CHECKPOINTS = "checkpoints"


class BestAndLast(Checkpoint):
    """Keeps the epoch with the smallest monitored value, and the last one, in the run's folder.

    Lightning's ModelCheckpoint saves the last epoch only where it is also the best, so that an interrupted run would
    go back to its best epoch, and takes NaN for a value.

    Args:
        monitor: name of the value, `val/loss` for the thesis' rule.

    Attributes:
        best_score: the smallest value so far; None before the first finite one.
    """

    def __init__(self, monitor: str = "val/loss") -> None:
        self.monitor = monitor
        self.best_score: float | None = None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.monitor not in trainer.callback_metrics:
            names = ", ".join(sorted(trainer.callback_metrics))
            raise ConfigError(f"monitor={self.monitor}: there is no such metric; there are {names}.")
        score = float(trainer.callback_metrics[self.monitor])
        if math.isfinite(score) and (self.best_score is None or score < self.best_score):
            self.best_score = score
            save(trainer, "best")
        save(trainer, "last")

    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self.best_score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_score = state_dict["best_score"]


def save(trainer: Trainer, name: str) -> None:
    """Write a checkpoint beside its place, then put it there in one step; every process must call this."""
    path = Path(trainer.default_root_dir) / CHECKPOINTS / f"{name}.ckpt"
    unfinished = path.with_suffix(".unfinished")
    trainer.save_checkpoint(unfinished)
    if trainer.is_global_zero:
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)

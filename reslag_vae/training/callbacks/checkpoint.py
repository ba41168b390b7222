"""checkpoints/best.ckpt, checkpoints/last.ckpt and checkpoints/previous.ckpt."""

import math
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from reslag_vae._runtime.errors import ConfigError
from reslag_vae._runtime.files import UNFINISHED, WriteError
from reslag_vae.runs.folder import checkpoint_file


class BestAndLast(Checkpoint):
    """Keeps the epoch with the smallest monitored value, the last one, and the one before, in the run's folder.

    Lightning's ModelCheckpoint saves the last epoch only where it is also the best, so that an
    interrupted run would go back to its best epoch, and takes NaN for a value.

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
            raise ConfigError(
                f"monitor={self.monitor}: there is no such metric; there are {names}."
            )
        score = float(trainer.callback_metrics[self.monitor])
        if math.isfinite(score) and (self.best_score is None or score < self.best_score):
            self.best_score = score
            save(trainer, "best")
        save(trainer, "last", before="previous")

    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self.best_score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_score = state_dict["best_score"]


def save(trainer: Trainer, name: str, before: str | None = None) -> None:
    """Write a checkpoint beside its place, then put it there in one step; every process must call this.

    Args:
        trainer: whose state.
        name: of the checkpoint.
        before: the name that the one in its place gets; else that one is replaced.

    Raises:
        WriteError: the disk is full, say. The checkpoints that were there are as they were.
    """
    folder = Path(trainer.default_root_dir)
    path = checkpoint_file(folder, name)
    unfinished = path.with_name(f"{name}{UNFINISHED}")
    try:
        trainer.save_checkpoint(unfinished)
    except WriteError as error:
        raise WriteError(
            f"{error} The checkpoints of the epochs before are whole: once that is mended, the run can go on."
        ) from None
    if trainer.is_global_zero:
        if before is not None and path.exists():
            path.replace(checkpoint_file(folder, before))
        unfinished.replace(path)

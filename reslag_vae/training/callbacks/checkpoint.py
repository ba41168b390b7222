"""The callback that writes best.ckpt, last.ckpt and previous.ckpt into checkpoints/."""

import math
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from reslag_vae._runtime.errors import ConfigError
from reslag_vae._runtime.files import UNFINISHED, WriteError
from reslag_vae.runs.checkpoints import read_checkpoint
from reslag_vae.runs.folder import checkpoint_file

# Under which every version's checkpoints hold the metrics of all epochs: see `MetricsCSV`.
METRICS = "MetricsFile"


class BestAndLast(Checkpoint):
    """A callback that keeps the checkpoints of the best, the last and the previous epoch.

    The best epoch is that with the smallest monitored value.

    Lightning's ModelCheckpoint saves the last epoch only if it is also the best, so an interrupted
    run would go back to its best epoch, and it accepts NaN as a value.

    Args:
        monitor: name of the monitored value, `val/loss` for the thesis' rule.

    Attributes:
        best_score: the smallest value so far; None before the first finite one.
        score: the value of the latest epoch; None if that is not finite.
    """

    def __init__(self, monitor: str = "val/loss") -> None:
        self.monitor = monitor
        self.best_score: float | None = None
        self.score: float | None = None

    @property
    def state_key(self) -> str:
        """The name under which checkpoints hold the values, of subclasses, too."""
        return BestAndLast.__name__

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the value that best.ckpt has: a kill may have left it younger than the last one."""
        best = checkpoint_file(Path(trainer.default_root_dir), "best")
        if self.best_score is not None and best.exists():
            self.best_score = score_of(read_checkpoint(best), self.monitor)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the epoch as last, and as best if it is.

        Raises:
            ConfigError: there is no metric of the monitored name.
        """
        if self.monitor not in trainer.callback_metrics:
            names = ", ".join(sorted(trainer.callback_metrics))
            raise ConfigError(
                f"monitor={self.monitor}: there is no such metric; there are {names}."
            )
        score = float(trainer.callback_metrics[self.monitor])
        self.score = score if math.isfinite(score) else None
        if self.score is not None and (self.best_score is None or self.score < self.best_score):
            self.best_score = self.score
            save(trainer, "best")
        save(trainer, "last", before="previous")

    def state_dict(self) -> dict[str, Any]:
        """Return the smallest value so far, and that of the epoch."""
        return {"best_score": self.best_score, "score": self.score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the smallest value so far."""
        self.best_score = state_dict["best_score"]


def score_of(checkpoint: dict[str, Any], monitor: str) -> float | None:
    """Return the monitored value of a checkpoint's epoch; None if that is not finite.

    Those of earlier versions hold it among the metrics of all epochs, or else the smallest value,
    which is that of a best checkpoint.

    Args:
        checkpoint: content of the file.
        monitor: name of the monitored value.
    """
    state = state_of(checkpoint)
    if "score" in state:
        return state["score"]
    rows = checkpoint.get("callbacks", {}).get(METRICS, {}).get("rows") or [{}]
    value = float(rows[-1].get(monitor, math.inf))
    return value if math.isfinite(value) else state.get("best_score")


def state_of(checkpoint: dict[str, Any]) -> dict[str, float | None]:
    """Return what a checkpoint holds of the callback that wrote it."""
    state: dict[str, float | None] = checkpoint.get("callbacks", {}).get(BestAndLast.__name__, {})
    return state


def save(trainer: Trainer, name: str, before: str | None = None) -> None:
    """Write a checkpoint beside its target, then move it into place in one step.

    Every process must call this.

    Args:
        trainer: trainer whose state is saved.
        name: name of the checkpoint.
        before: new name of an existing checkpoint; None replaces it.

    Raises:
        WriteError: the checkpoint cannot be written, for example because the disk is full. The
            existing checkpoints are unchanged.
    """
    folder = Path(trainer.default_root_dir)
    path = checkpoint_file(folder, name)
    unfinished = path.with_name(f"{name}{UNFINISHED}")
    try:
        trainer.save_checkpoint(unfinished)
    except WriteError as error:
        raise WriteError(
            f"{error} The checkpoints of the epochs before are whole: once that is mended, the run "
            "can go on."
        ) from None
    if trainer.is_global_zero:
        if before is not None and path.exists():
            path.replace(checkpoint_file(folder, before))
        unfinished.replace(path)

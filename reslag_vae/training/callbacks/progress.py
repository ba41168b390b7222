"""The callbacks that show a person the progress of training."""

import logging
from math import ceil, inf
from time import monotonic
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme
from lightning.pytorch.utilities.types import STEP_OUTPUT

from reslag_vae.options import require
from reslag_vae.training.at_once import minibatches_of_epoch
from reslag_vae.training.callbacks.collapse import CollapseMonitor, lacking_at
from reslag_vae.training.callbacks.duration import (
    WORTH_TELLING,
    Duration,
    in_words,
    may_end_early,
    seconds_allowed,
)
from reslag_vae.training.lookup import callback_of
from reslag_vae.training.system import BaseVAE

log = logging.getLogger(__name__)

SHOWN = ("loss", "rec", "kl", "mmd", "sigma2")


class ProgressBar(RichProgressBar):
    """Lightning's rich progress bar with the epoch's means: loss, rec, kl, mmd and sigma2.

    Args:
        interval: seconds between updates. Each update reads the device once and redraws the bar,
            which Lightning's own bar does for every minibatch; that costs small networks a
            twentieth of their speed.

    Raises:
        ValueError: the interval is not positive.
    """

    def __init__(self, interval: float = 1.0) -> None:
        require("callbacks.progress.interval", interval)
        super().__init__(refresh_rate=ceil(1 / interval), leave=False, theme=RichProgressBarTheme())
        self.interval, self.updated = interval, -inf

    def _due(self, last: bool) -> bool:
        """Return whether the bar is to be updated, and take note of the time if so."""
        now = monotonic()
        due = last or now - self.updated >= self.interval
        if due:
            self.updated = now
        return due

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the bar of an epoch."""
        # An epoch shorter than the interval is shown at its first minibatch too: from one alone the
        # bar knows no speed.
        self.updated = -inf
        super().on_train_epoch_start(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Update the bar if it is due, and after the last minibatch."""
        if self._due(last=trainer.is_last_batch):
            assert isinstance(pl_module, BaseVAE)
            last = pl_module.train_means.minibatches - 1
            super().on_train_batch_end(trainer, pl_module, outputs, batch, last)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Update the bar of validation if it is due."""
        if self._due(last=False):
            super().on_validation_batch_end(
                trainer, pl_module, outputs, batch, batch_idx, dataloader_idx
            )

    @property
    def total_train_batches(self) -> int:
        """The number of minibatches of an epoch, each of which counts where several come at once.

        Lightning's bar asks for it.
        """
        return minibatches_of_epoch(self.trainer)

    def _get_train_description(self, current_epoch: int) -> str:
        # Lightning counts from 0, and everything else here from 1.
        return f"Epoch {current_epoch + 1}/{self.trainer.max_epochs}".ljust(
            len(self.validation_description)
        )

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return the epoch's means as the bar shows them."""
        assert isinstance(pl_module, BaseVAE)
        means = pl_module.train_means.read()
        return {name: f"{means[name]:.4g}" for name in SHOWN if name in means}


class EpochReport(Checkpoint):
    """A callback that logs one line for each epoch: losses, speed and the verdict on collapse.

    The line goes to the terminal and to the run's log.

    The class is a `Checkpoint` only because Lightning calls those after the model has logged its
    epoch.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch's line."""
        assert isinstance(pl_module, BaseVAE)
        metrics = trainer.callback_metrics
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        parts = [f"{epoch} {pl_module.schedule.phase}"]
        parts += [
            f"{name} {float(metrics[name]):.6g}"
            for name in ("val/loss", "val/rec", "val/elbo")
            if name in metrics
        ]
        parts.append(
            f"{float(metrics['images_per_second']):.0f} images/s"
            if "images_per_second" in metrics
            else ""
        )
        collapse = callback_of(trainer, CollapseMonitor)
        if collapse:  # which draws its verdict, once the epoch is saved
            collapse.judge(pl_module, lacking_at(trainer, trainer.current_epoch + 1))
            parts.append(collapse.verdict)
        floored = float(metrics.get("train/sigma2_floored", 0.0))
        parts.append(f"sigma2 at its floor: {floored:.1%} of its entries" if floored else "")
        duration = callback_of(trainer, Duration)
        left = duration.left if duration else None
        if left is not None:
            left = min(left, seconds_allowed(trainer))
        about = "at most" if may_end_early(trainer, pl_module) else "about"
        parts.append(f"{about} {in_words(left)} left" if left and left >= WORTH_TELLING else "")
        log.info(" | ".join(filter(None, parts)))

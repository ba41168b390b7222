"""What a person sees while a run trains."""

import logging
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme

from reslag_vae.callbacks.collapse import CollapseMonitor
from reslag_vae.callbacks.lookup import callback_of
from reslag_vae.models import BaseVAE

log = logging.getLogger(__name__)

SHOWN = ("loss", "rec", "kl", "mmd", "sigma2")


class ProgressBar(RichProgressBar):
    """Lightning's rich bar with the running means of the epoch: loss, rec, kl, mmd, sigma2.

    Args:
        refresh_rate: batches between refreshes; each reads the device once.
    """

    def __init__(self, refresh_rate: int = 20) -> None:
        super().__init__(refresh_rate=refresh_rate, leave=False, theme=RichProgressBarTheme())

    def _get_train_description(self, current_epoch: int) -> str:
        # Lightning counts from 0, and everything else here the epochs that are done.
        return f"Epoch {current_epoch + 1}/{self.trainer.max_epochs}".ljust(len(self.validation_description))

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        assert isinstance(pl_module, BaseVAE)
        means = pl_module.train_means.read()
        return {name: f"{means[name]:.4g}" for name in SHOWN if name in means}


class EpochReport(Checkpoint):
    """One line an epoch, in the terminal and in the run's log: losses, speed, and the verdict on collapse.

    A `Checkpoint` only because Lightning calls those after the model has logged its epoch.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseVAE)
        metrics = trainer.callback_metrics
        phase = "aggressive" if pl_module.aggressive else "joint"
        parts = [f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} {phase}"]
        parts += [
            f"{name} {float(metrics[name]):.6g}" for name in ("val/loss", "val/rec", "val/elbo") if name in metrics
        ]
        parts.append(f"{float(metrics['images_per_second']):.0f} images/s" if "images_per_second" in metrics else "")
        collapse = callback_of(trainer, CollapseMonitor)
        parts.append(collapse.verdict if collapse else "")
        floored = float(metrics.get("train/sigma2_floored", 0.0))
        parts.append(f"sigma2 at its floor: {floored:.1%} of its entries" if floored else "")
        log.info(" | ".join(filter(None, parts)))

"""The callback that ends a run which gets no better."""

import math

import lightning.pytorch.callbacks as lightning_callbacks
from lightning import LightningModule, Trainer

from reslag_vae.options import require
from reslag_vae.training.at_once import minibatches_of_epoch
from reslag_vae.training.system import BaseVAE

# One validation may fall on a bad moment, however long its epoch was.
FEWEST_EPOCHS = 3


class EarlyStopping(lightning_callbacks.EarlyStopping):
    """Lightning's callback of this name, whose patience is counted in updates of the decoder.

    An epoch may be a part of a second or an hour, so that a number of epochs says little. The
    aggressive epochs of lagging updates do not count: what is best is known after them.

    Args:
        monitor: name of the monitored value, of which the smallest is the best.
        updates: number of updates after which a run ends if none of their epochs, of which there
            are at least 3, was better than the best before them.

    Raises:
        ValueError: the number is out of its range.
    """

    def __init__(self, monitor: str = "val/loss", updates: int = 1000) -> None:
        require("callbacks.early_stopping.updates", updates)
        # What is not finite ends a run with an error, and not with a result.
        super().__init__(monitor, check_finite=False, check_on_train_epoch_end=True)
        self.updates = updates

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Translate the patience into epochs."""
        self.patience = max(FEWEST_EPOCHS, math.ceil(self.updates / minibatches_of_epoch(trainer)))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the run, with its reason, if it has become no better for too long."""
        assert isinstance(pl_module, BaseVAE)
        if pl_module.schedule.phase == "aggressive":
            return
        super().on_train_epoch_end(trainer, pl_module)
        if self.wait_count >= self.patience:
            updates = self.patience * minibatches_of_epoch(trainer)
            pl_module.stopped_because = f"{self.monitor} has not fallen for {updates:,} updates"

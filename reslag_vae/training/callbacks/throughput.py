"""The callback that logs images per second and learning rates."""

import time
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae.training.system import BaseVAE


class Throughput(Callback):
    """A callback that logs each epoch's training speed, and keeps the run's totals.

    Validation is not counted. The totals are those over all interruptions.

    Attributes:
        seconds: seconds of the finished training epochs, without validation.
        images: number of images seen in these epochs.
    """

    def __init__(self) -> None:
        self.seconds, self.images = 0.0, 0
        self.started, self.stopped, self.images_before = 0.0, 0.0, 0

    @property
    def images_per_second(self) -> float:
        """Training speed over the whole run."""
        return self.images / self.seconds if self.seconds else 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Start the clock of the epoch."""
        self.started, self.images_before = time.perf_counter(), pl_module.images_seen
        self.stopped = 0.0

    def on_validation_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Stop the clock, once the device has finished the epoch."""
        # Reading a result waits for a device that is still busy with the epoch.
        pl_module.train_means.read()
        self.stopped = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Log the epoch's speed and learning rates."""
        pl_module.train_means.read()
        seconds = (self.stopped or time.perf_counter()) - self.started
        images = pl_module.images_seen - self.images_before
        self.seconds, self.images = self.seconds + seconds, self.images + images
        rates = {f"lr/{name}": lr for name, lr in pl_module.learning_rates().items()}
        pl_module.log_dict({"images_per_second": images / seconds} | rates)

    def state_dict(self) -> dict[str, Any]:
        """Return the totals so far."""
        return {"seconds": self.seconds, "images": self.images}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the totals so far."""
        self.seconds, self.images = state_dict["seconds"], state_dict["images"]

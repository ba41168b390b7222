"""Images per second and learning rates."""

import time
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae.training.system import BaseVAE


class Throughput(Callback):
    """Logs each epoch's training speed, without validation, and keeps the run's totals over interruptions.

    Attributes:
        seconds: spent in finished training epochs, without validation.
        images: seen in them.
    """

    def __init__(self) -> None:
        self.seconds, self.images = 0.0, 0
        self.started, self.stopped, self.images_before = 0.0, 0.0, 0

    @property
    def images_per_second(self) -> float:
        """Over the whole run."""
        return self.images / self.seconds if self.seconds else 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        self.started, self.images_before = time.perf_counter(), pl_module.images_seen
        self.stopped = 0.0

    def on_validation_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        # Reading a result waits for a device that is still busy with the epoch.
        pl_module.train_means.read()
        self.stopped = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        pl_module.train_means.read()
        seconds = (self.stopped or time.perf_counter()) - self.started
        images = pl_module.images_seen - self.images_before
        self.seconds, self.images = self.seconds + seconds, self.images + images
        rates = {f"lr/{name}": lr for name, lr in pl_module.learning_rates().items()}
        pl_module.log_dict({"images_per_second": images / seconds} | rates)

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "images": self.images}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds, self.images = state_dict["seconds"], state_dict["images"]

"""A callback that notes when a run of train.py begins to train, and then ends it."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

PICTURES = "img_align_celeba"


class Stamps(Callback):
    """Ends the process after its first training step, and leaves the moments and the pictures opened as JSON.

    Args:
        path: of the file: `fit` and `step` in seconds since the epoch, `pictures` opened since this
            was made, which is before the data are read.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.fit = 0.0
        self.pictures = 0
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and PICTURES in str(arguments[0]):
            self.pictures += 1

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.fit = time.time()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        float(outputs["loss"])  # waits for the device
        stamps = {"fit": self.fit, "step": time.time(), "pictures": self.pictures}
        self.path.write_text(json.dumps(stamps))
        raise SystemExit

"""The callback that records when a run of train.py starts to train, and then ends it."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

PICTURES = "img_align_celeba"


class StartupProbe(Callback):
    """A callback that ends the process after its first training step.

    It leaves the moments, and the number of pictures opened, as JSON.

    Args:
        path: path of the file. `fit` and `step` are in seconds since the epoch; `pictures` were
            opened since the callback was created, which is before the data are read.
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
        """Record the start of training."""
        self.fit = time.time()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write the record, and end the process.

        Raises:
            SystemExit: always.
        """
        float(outputs["loss"])  # waits for the device
        stamps = {"fit": self.fit, "step": time.time(), "pictures": self.pictures}
        self.path.write_text(json.dumps(stamps))
        raise SystemExit

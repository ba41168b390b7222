"""The callback that writes metrics.csv, one row for each epoch."""

import csv
import io
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from reslag_vae._runtime.files import write_atomically
from reslag_vae.runs.folder import METRICS_CSV


class MetricsCSV(Checkpoint):
    """A callback that writes every metric of every epoch to `metrics.csv` in the run's folder.

    The checkpoint holds the rows, so a resumed run's file has each epoch once. The class is a
    `Checkpoint` because Lightning calls those after the model has logged its epoch; it must come
    before the callback that saves.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    @property
    def state_key(self) -> str:
        """The name under which the checkpoints of every version hold the rows."""
        return "MetricsFile"

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the rows of a resumed run anew, whatever has become of its file."""
        if self.rows and trainer.is_global_zero:
            self.write(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch's row and write the file."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.rows.append({"epoch": trainer.current_epoch + 1} | metrics)
        if trainer.is_global_zero:
            self.write(trainer)

    def write(self, trainer: Trainer) -> None:
        """Write all rows."""
        write_atomically(Path(trainer.default_root_dir) / METRICS_CSV, as_csv(self.rows))

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the rows so far."""
        self.rows = state_dict["rows"]


def as_csv(rows: list[dict[str, float]]) -> str:
    """Return rows as CSV; a column that a row lacks is empty in it."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

"""The callback that logs terms within epochs that take long."""

import logging
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae._runtime.files import write_atomically
from reslag_vae.data.images import Batch
from reslag_vae.options import require
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import STEPS_CSV, read_rows
from reslag_vae.runs.tracking import trackers
from reslag_vae.training.at_once import minibatches_of_epoch
from reslag_vae.training.callbacks.curves import TrainingCurves
from reslag_vae.training.callbacks.metrics_csv import as_csv
from reslag_vae.training.callbacks.pace import DrawingPace
from reslag_vae.training.lookup import callback_of
from reslag_vae.training.system import BaseVAE

log = logging.getLogger(__name__)

SECONDS = 60.0
PREFIX = "step/"
SHOWN = ("loss", "rec", "kl")


class StepMetrics(Callback):
    """A callback that logs terms within an epoch: to the log, `steps.csv` and every tracker.

    Each entry holds the means over the minibatches since the entry before, of the first process's
    part of them, under names such as `step/loss`, with `images_seen` and a fraction of `epoch`. It
    reads the means that the epoch keeps anyway: a minibatch without an entry costs a look at the
    clock.

    Args:
        every: minibatches from one entry to the next; None is one entry a minute, so that only
            epochs of more than a minute have any.

    Raises:
        ValueError: the argument is out of its range.
    """

    def __init__(self, every: int | None = None) -> None:
        require("callbacks.steps.every", every)
        self.every = every
        self.rows: list[dict[str, float]] = []
        self.pace = DrawingPace()
        self.next, self.made, self.count = inf, 0, 0
        self.sums: dict[str, float] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Take up the entries of a resumed run, up to where it is resumed.

        The file is left with these alone: pictures are drawn from it, which a damaged one prevents.
        """
        if not trainer.is_global_zero:
            return
        path = Path(trainer.default_root_dir) / STEPS_CSV
        try:
            rows = read_rows(path)
        except RunError as error:
            log.warning("%s The entries within epochs begin anew.", error)
            rows = []
        self.rows = [row for row in rows if row.get("images_seen", inf) <= pl_module.images_seen]
        if self.rows:
            self.write(trainer)
        else:
            path.unlink(missing_ok=True)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Begin the epoch's first window."""
        self.next, self.made, self.count, self.sums = monotonic() + SECONDS, 0, 0, {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: BaseVAE, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Make an entry if one is due."""
        before, self.made = self.made, pl_module.train_means.minibatches
        # The epoch's own row follows the last minibatch.
        if self.is_due(before) and trainer.is_global_zero and not trainer.is_last_batch:
            self.next = monotonic() + SECONDS
            self.enter(trainer, pl_module, self.made / minibatches_of_epoch(trainer))

    def is_due(self, before: int) -> bool:
        """Return whether an entry is due; of minibatches that come at once, after the last one.

        Args:
            before: number of minibatches of the epoch before those that have just been made.
        """
        if self.every is None:
            return monotonic() >= self.next
        return self.made // self.every > before // self.every

    def enter(self, trainer: Trainer, model: BaseVAE, share: float) -> None:
        """Log the means of the window that ends, after a share of the epoch."""
        means = self.window(model)
        metrics = {f"{PREFIX}{name}": value for name, value in means.items()}
        row = {"epoch": trainer.current_epoch + share, "images_seen": float(model.images_seen)}
        self.rows.append(row | metrics)
        for tracker in trackers(trainer.loggers):
            tracker.log_metrics({"images_seen": row["images_seen"]} | metrics)
        place = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}, {share:.0%}"
        terms = [f"{name} {means[name]:.6g}" for name in SHOWN if name in means]
        log.info(" | ".join([place, *terms]))
        if self.pace.due:
            with self.pace.drawing():
                self.write(trainer)
            if curves := callback_of(trainer, TrainingCurves):
                curves.draw_if_due(trainer, model)

    def window(self, model: BaseVAE) -> dict[str, float]:
        """Return the means since the entry before, or since the epoch's start."""
        count = model.train_means.count
        sums = {name: mean * count for name, mean in model.train_means.read().items()}
        images = count - self.count
        means = {name: (total - self.sums.get(name, 0.0)) / images for name, total in sums.items()}
        self.count, self.sums = count, sums
        return means

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Write what the epoch has added."""
        if self.rows and trainer.is_global_zero:
            self.write(trainer)

    def write(self, trainer: Trainer) -> None:
        """Write all entries."""
        write_atomically(Path(trainer.default_root_dir) / STEPS_CSV, as_csv(self.rows))

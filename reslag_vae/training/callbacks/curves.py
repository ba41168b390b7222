"""The callback that draws how training goes."""

from pathlib import Path

from lightning import Trainer

from reslag_vae.evaluation.pictures.figures import save_figure
from reslag_vae.evaluation.pictures.history import training_curves
from reslag_vae.runs.folder import CURVES, METRICS_CSV, STEPS_CSV, figure_file, read_rows
from reslag_vae.runs.tracking import log_picture
from reslag_vae.training.callbacks.checkpoint import BestAndLast
from reslag_vae.training.callbacks.pace import Drawing
from reslag_vae.training.lookup import callback_of
from reslag_vae.training.system import BaseVAE


class TrainingCurves(Drawing):
    """A callback that draws `figures/curves.png` from metrics.csv and steps.csv, as it grows.

    It must come after the callback that writes metrics.csv.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Draw the epochs so far, in the first process only."""
        if trainer.is_global_zero:
            self.draw_if_due(trainer, pl_module)

    def draw_if_due(self, trainer: Trainer, model: BaseVAE) -> None:
        """Draw, unless the picture before was drawn too lately for its cost."""
        if self.pace.due:
            with self.pace.drawing():
                self.draw(trainer, model)

    def draw(self, trainer: Trainer, model: BaseVAE) -> None:
        """Replace the picture by that of all epochs so far."""
        folder = Path(trainer.default_root_dir)
        epochs, steps = read_rows(folder / METRICS_CSV), read_rows(folder / STEPS_CSV)
        if not epochs and not steps:
            return
        keeper = callback_of(trainer, BestAndLast)
        monitor = keeper.monitor if keeper else ""
        path = figure_file(folder, CURVES)
        title = model.titled(model.preset)
        save_figure(training_curves(epochs, steps, title, monitor), path)
        log_picture(trainer.loggers, CURVES, path, model.images_seen)

"""The callback that says whether the latent has collapsed, by active units and KL per dimension."""

from pathlib import Path

from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae.evaluation.pictures.figures import kl_bars, save_figure, usage_bars
from reslag_vae.runs.folder import figure_file
from reslag_vae.runs.tracking import log_picture
from reslag_vae.training.callbacks.pace import DrawingPace
from reslag_vae.training.system import BaseVAE


class CollapseMonitor(Callback):
    """A callback that judges after every epoch whether the latent has collapsed.

    The progress report shows its verdict, and `figures/kl_per_dimension.png` the dimensions by
    size, or `figures/code_usage.png` the codes.

    The model itself logs active units and mutual information, as `val/active_units` and
    `val/mutual_information`.

    Attributes:
        verdict: verdict on the last validation; empty if the posterior is a point.
    """

    def __init__(self) -> None:
        self.verdict = ""
        self.pace = DrawingPace()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Judge the epoch, and draw it if a picture is due, in the first process only."""
        if not trainer.is_global_zero:
            return
        self.judge(pl_module)
        if self.pace.due:
            with self.pace.drawing():
                self.draw(trainer, pl_module, trainer.current_epoch + 1)

    def judge(self, model: BaseVAE) -> None:
        """Keep the verdict on the model's latest evaluation."""
        if model.evaluation.latents.count:
            self.verdict = model.evaluation.latents.verdict()

    def draw(self, trainer: Trainer, model: BaseVAE, epoch: int) -> None:
        """Judge the model's latest evaluation and draw it, at the end of `epoch` (from 1)."""
        statistics = model.evaluation.latents
        self.judge(model)
        if not statistics.count:
            return
        whose = model.titled(model.preset)
        titles = [f"{whose}, epoch {epoch}: {own}" for own in statistics.verdicts()]
        kl = statistics.kl_per_dimension()
        if statistics.usage:
            usage = [own.cpu().numpy() for own in statistics.usage]
            name, bars = "code_usage", usage_bars(usage, titles)
        elif kl is not None:
            active = statistics.active().cpu().numpy()
            name, bars = "kl_per_dimension", kl_bars(kl.cpu().numpy(), active, titles[0])
        else:  # of a prior that is not one density for each dimension
            return
        path = figure_file(Path(trainer.default_root_dir), name)
        save_figure(bars, path)
        log_picture(trainer.loggers, name, path, model.images_seen)

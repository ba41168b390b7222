"""The callback that says whether the latent has collapsed, by active units and KL per dimension."""

from pathlib import Path

from lightning import Trainer

from reslag_vae.evaluation.pictures.figures import kl_bars, save_figure, usage_bars
from reslag_vae.latents.verdicts import FEWEST_UPDATES, reservation
from reslag_vae.runs.folder import figure_file
from reslag_vae.runs.tracking import log_picture
from reslag_vae.training.at_once import minibatches_of_epoch
from reslag_vae.training.callbacks.pace import Drawing
from reslag_vae.training.system import BaseVAE


class CollapseMonitor(Drawing):
    """A callback that judges after every epoch whether the latent has collapsed.

    It waits for 500 updates of the decoder, one for each minibatch: a latent that comes into use
    takes some hundred. A run that ends before is judged at its end, which says so.

    The progress report shows its verdict, and `figures/kl_per_dimension.png` the dimensions by
    size, or `figures/code_usage.png` the codes.

    The model itself logs active units and mutual information, as `val/active_units` and
    `val/mutual_information`.

    Attributes:
        verdict: verdict on the last validation; empty if the posterior is a point.
    """

    def __init__(self) -> None:
        super().__init__()
        self.verdict = ""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Judge the epoch, and draw it if a picture is due, in the first process only."""
        if not trainer.is_global_zero:
            return
        ended = trainer.current_epoch + 1
        lacking = lacking_at(trainer, ended)
        self.judge(pl_module, lacking)
        if self.pace.due:
            with self.pace.drawing():
                self.draw(trainer, pl_module, ended, lacking)

    def judge(self, model: BaseVAE, lacking: str = "") -> None:
        """Keep the verdict on the model's latest evaluation, with what it lacks."""
        if model.evaluation.latents.count:
            self.verdict = reserved(model.evaluation.latents.verdict(), lacking)

    def draw(self, trainer: Trainer, model: BaseVAE, epoch: int, lacking: str = "") -> None:
        """Judge the model's latest evaluation and draw it.

        Args:
            trainer: trainer of the run.
            model: model of the run.
            epoch: number of the epoch that has ended, from 1.
            lacking: what the verdict lacks; it follows the verdict after a comma, or else
                stands in its place.
        """
        statistics = model.evaluation.latents
        self.judge(model, lacking)
        if not statistics.count:
            return
        whose = model.titled(model.preset)
        verdicts = [reserved(own, lacking) for own in statistics.verdicts()]
        titles = [f"{whose}, epoch {epoch}: {own}" for own in verdicts]
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


def lacking_at(trainer: Trainer, ended: int) -> str:
    """Return what a verdict lacks after so few updates; empty if there were enough.

    Args:
        trainer: trainer of the run.
        ended: number of epochs that have ended.
    """
    updates = ended * minibatches_of_epoch(trainer)
    if updates >= FEWEST_UPDATES:
        return ""
    if ended == trainer.max_epochs:
        return reservation(updates)
    return f"too early to judge the latent: {updates} of {FEWEST_UPDATES} updates"


def reserved(verdict: str, lacking: str) -> str:
    """Return a verdict with what it lacks, after a comma; or else that stands in its place."""
    return f"{verdict}{lacking}" if not lacking or lacking.startswith(",") else lacking

"""The callback that says whether the latent has collapsed, by active units and KL per dimension."""

from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae.evaluation.pictures.figures import kl_bars, save_figure, usage_bars
from reslag_vae.training.callbacks.images import figure_path, log_picture
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

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Judge and draw the epoch, in the first process only."""
        if trainer.is_global_zero:
            self.draw(trainer, pl_module, trainer.current_epoch + 1)

    def draw(self, trainer: Trainer, model: BaseVAE, epoch: int) -> None:
        """Judge the model's latest evaluation and draw it, at the end of `epoch` (from 1)."""
        statistics = model.evaluation.latents
        if not statistics.count:
            return
        self.verdict = statistics.verdict()
        titles = [f"{model.name}, epoch {epoch}: {own}" for own in statistics.verdicts()]
        kl = statistics.kl_per_dimension()
        if statistics.usage:
            usage = [own.cpu().numpy() for own in statistics.usage]
            name, bars = "code_usage", usage_bars(usage, titles)
        elif kl is not None:
            active = statistics.active().cpu().numpy()
            name, bars = "kl_per_dimension", kl_bars(kl.cpu().numpy(), active, titles[0])
        else:  # of a prior that is not one density for each dimension
            return
        path = figure_path(trainer, name)
        save_figure(bars, path)
        log_picture(trainer, name, path, model.images_seen)

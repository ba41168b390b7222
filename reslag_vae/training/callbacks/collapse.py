"""The callback that says whether the latent has collapsed, by active units and KL per dimension."""

from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae.evaluation.pictures.figures import kl_bars, save_figure, usage_bars
from reslag_vae.training.at_once import minibatches_of_epoch
from reslag_vae.training.callbacks.images import figure_path, log_picture
from reslag_vae.training.system import BaseVAE

# Updates of the decoder before which a latent that is not in use yet is not called collapsed.
FEWEST_UPDATES = 500


class CollapseMonitor(Callback):
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
        self.verdict = ""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Judge and draw the epoch, in the first process only."""
        if not trainer.is_global_zero:
            return
        ended = trainer.current_epoch + 1
        self.draw(trainer, pl_module, ended, reservation(trainer, ended))

    def draw(self, trainer: Trainer, model: BaseVAE, epoch: int, reservation: str = "") -> None:
        """Judge the model's latest evaluation and draw it.

        Args:
            trainer: trainer of the run.
            model: model of the run.
            epoch: number of the epoch that has ended, from 1.
            reservation: what the verdict lacks; it follows the verdict after a comma, or else
                stands in its place.
        """
        statistics = model.evaluation.latents
        if not statistics.count:
            return
        verdicts = [statistics.verdict(), *statistics.verdicts()]
        if reservation:
            follows = reservation.startswith(",")
            verdicts = [f"{own}{reservation}" if follows else reservation for own in verdicts]
        self.verdict = verdicts[0]
        titles = [f"{model.name}, epoch {epoch}: {own}" for own in verdicts[1:]]
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


def reservation(trainer: Trainer, ended: int) -> str:
    """Return what a verdict lacks after so few updates; empty if there were enough.

    Args:
        trainer: trainer of the run.
        ended: number of epochs that have ended.
    """
    updates = ended * minibatches_of_epoch(trainer)
    if updates >= FEWEST_UPDATES:
        return ""
    if ended == trainer.max_epochs:
        return f", after no more than {updates} updates"
    return f"too early to judge the latent: {updates} of {FEWEST_UPDATES} updates"

"""The callback that logs the likelihood variance, as in Figure 5 of the thesis."""

from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae._runtime import collectives
from reslag_vae.training.system import BaseVAE


class Sigma2Statistics(Callback):
    """A callback that logs mean, standard deviation and extremes of each epoch's sigma2.

    The statistics are over the minibatches of the epoch.

    A variance of finer granularity counts with its mean over entries. Variants without a rule for
    sigma log nothing.
    """

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        """Log the epoch's statistics."""
        own = pl_module.train_means.column("sigma2")
        if own is not None:
            values = collectives.mean(own)
            spread = values.std(unbiased=False)
            statistics = {
                "mean": values.mean(),
                "std": spread,
                "min": values.min(),
                "max": values.max(),
            }
            pl_module.log_dict({f"sigma2/{name}": value for name, value in statistics.items()})

"""Statistics of the likelihood variance over the minibatches of an epoch: the thesis' Figure 5."""

from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae.data.images import Batch
from reslag_vae.training.system import BaseVAE


class Sigma2Statistics(Callback):
    """Logs mean, standard deviation, minimum and maximum of sigma2 over each epoch's minibatches.

    A variance of finer granularity counts with its mean over entries. Variants without a sigma rule
    log nothing.
    """

    def __init__(self) -> None:
        self.values: list[Tensor] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        self.values = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: BaseVAE, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if "sigma2" in outputs:
            self.values.append(outputs["sigma2"].mean())

    def on_train_epoch_end(self, trainer: Trainer, pl_module: BaseVAE) -> None:
        if self.values:
            values = collectives.mean(torch.stack(self.values).double())
            spread = values.std(unbiased=False)
            statistics = {
                "mean": values.mean(),
                "std": spread,
                "min": values.min(),
                "max": values.max(),
            }
            pl_module.log_dict({f"sigma2/{name}": value for name, value in statistics.items()})

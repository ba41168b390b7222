"""The callback that lets a resumed run repeat the noise of training."""

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae.options import require


class EpochSeed(Callback):
    """A callback that makes the noise of every epoch a function of (seed, epoch).

    An interrupted epoch therefore repeats bitwise.

    Several processes draw the same numbers, and each uses its part of them.

    Args:
        seed: seed of the run.

    Raises:
        ValueError: the seed is out of its range.
    """

    def __init__(self, seed: int) -> None:
        require("callbacks.seed.seed", seed)
        self.seed = seed

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed PyTorch's generators for the epoch."""
        generator = torch.Generator().manual_seed(self.seed)
        # Drawn rather than added up, so that (seed, epoch + 1) and (seed + 1, epoch) have nothing
        # in common.
        draws = torch.randint(2**62, (trainer.current_epoch + 1,), generator=generator)
        torch.manual_seed(int(draws[-1]))

"""checkpoints/best.ckpt and checkpoints/last.ckpt."""

from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

CHECKPOINTS = "checkpoints"


class BestAndLast(ModelCheckpoint):
    """Keeps the epoch with the smallest monitored value, and the last one, in the run's folder.

    Args:
        monitor: name of the value, `val/loss` for the thesis' rule.
    """

    def __init__(self, monitor: str = "val/loss") -> None:
        super().__init__(
            filename="best",
            monitor=monitor,
            mode="min",
            save_last=True,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.dirpath = str(Path(trainer.default_root_dir) / CHECKPOINTS)
        super().setup(trainer, pl_module, stage)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # A run that was moved goes on in its new folder, with its best epoch still the best.
        best = str(Path(self.dirpath or "") / Path(state_dict["best_model_path"]).name)
        super().load_state_dict(state_dict | {"dirpath": self.dirpath, "best_model_path": best})

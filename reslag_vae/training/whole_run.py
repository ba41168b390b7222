"""The callback by which a trainer leaves a whole run behind, whoever calls it."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.data import ImageDataModule
from reslag_vae.runs.lock import occupied
from reslag_vae.training import finish, metrics_json, preparation
from reslag_vae.training.build import finished_loggers
from reslag_vae.training.checks import check_surroundings
from reslag_vae.training.job import refuse_mixing
from reslag_vae.training.system import BaseVAE


class WholeRun(Callback):
    """A callback that begins a run's folder before training, and measures its best epoch after it.

    From one to the other no other process can work in the folder. Then its loggers are closed.

    Args:
        config: configuration of the run, with its length in epochs.
        folder: folder of the run.
    """

    def __init__(self, config: DictConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.origin: dict[str, Any] = {}
        # What ends with the run: the lock on its folder, and its loggers.
        self.held = ExitStack()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check what is trained on what, and write what a run begins with.

        Raises:
            ConfigError: the model or the data are none of this package's, or the program has set
                PyTorch to what would change the run.
            RunError: the folder holds a run already, or another process is at work in it.
        """
        if stage != "fit" or not trainer.is_global_zero:
            return
        check_surroundings()
        model, data = self.parts(trainer, pl_module)
        refuse_mixing(self.folder)
        self.origin = metrics_json.origin(self.config)
        start = preparation.prepare(self.config, self.folder, None, data)
        self.held.enter_context(occupied(self.folder))
        self.held.enter_context(finished_loggers(trainer))
        refuse_mixing(self.folder)  # which another process may have begun while the data were read
        preparation.begin(start, self.config, trainer, data, model)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the best epoch, and write the result."""
        if trainer.is_global_zero:
            model, data = self.parts(trainer, pl_module)
            finish.finish(trainer, model, data, self.folder, self.origin)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the loggers, and leave the folder to others."""
        self.held.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Close the loggers of a run that has failed, and leave the folder to others."""
        self.held.__exit__(type(exception), exception, exception.__traceback__)

    def parts(self, trainer: Trainer, module: LightningModule) -> tuple[BaseVAE, ImageDataModule]:
        """Return the model and the data of a trainer.

        Raises:
            ConfigError: they are none of this package's.
        """
        data = getattr(trainer, "datamodule", None)
        if not isinstance(module, BaseVAE) or not isinstance(data, ImageDataModule):
            raise ConfigError(
                "trainer.fit(model, data) takes a variant and a data module of this package, as "
                "reslag_vae.build returns them; for images and loaders of your own there is "
                "reslag_vae.fit."
            )
        return module, data

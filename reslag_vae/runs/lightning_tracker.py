"""The tracker that any Lightning logger becomes: TensorBoard's, MLflow's, the CSV file's."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from reslag_vae.runs.tracking import Tracker, with_epochs_from_1


class LightningTracker(Tracker):
    """A tracker that writes to a Lightning logger, by the number of images seen.

    Pictures are shown where the logger has them: by TensorBoard's `add_image`, a `log_image` of the
    logger's own, or among MLflow's artifacts.

    Args:
        logger: logger of Lightning, or of another's.
    """

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self.logger, self.title, self.images_seen = logger, type(logger).__name__, 0

    @property
    def name(self) -> str | None:
        return self.logger.name

    @property
    def version(self) -> int | str | None:
        return self.logger.version

    @property
    def experiment(self) -> Any:
        """The experiment of the logger."""
        return getattr(self.logger, "experiment", None)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        own = with_epochs_from_1(metrics)
        self.images_seen = int(own.get("images_seen", self.images_seen))
        self.attempt(lambda: self.logger.log_metrics(own, self.images_seen))

    def log_hyperparams(self, params: Any) -> None:
        self.attempt(lambda: self.logger.log_hyperparams(params))

    @rank_zero_only
    def log_pictures(self, pictures: Mapping[str, Path], **values: float) -> None:
        self.images_seen = int(values.get("images_seen", self.images_seen))
        for name, path in pictures.items():
            self.attempt(partial(self._show, name, path))

    def _show(self, name: str, path: Path) -> None:
        experiment = self.experiment
        if hasattr(experiment, "add_image"):
            experiment.add_image(name, pixels(path), self.images_seen, dataformats="HWC")
        elif hasattr(self.logger, "log_image"):
            self.logger.log_image(name, [str(path)], step=self.images_seen)
        elif hasattr(experiment, "log_artifact") and hasattr(self.logger, "run_id"):
            experiment.log_artifact(self.logger.run_id, str(path), str(Path(name).parent))

    @rank_zero_only
    def summarise(self, values: Mapping[str, float | str]) -> None:
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        self.attempt(lambda: self.logger.log_metrics(numbers, self.images_seen))

    def save(self) -> None:
        self.attempt(self.logger.save)

    def finalize(self, status: str) -> None:
        self.attempt(lambda: self.logger.finalize(status))


def pixels(path: Path) -> Any:
    """Return a picture's (H, W, 3) pixels as uint8."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))

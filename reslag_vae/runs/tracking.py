"""The logger of Weights & Biases, which needs no account and no prompt."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import _DummyExperiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from reslag_vae._runtime.files import write_atomically
from reslag_vae.runs.folder import STEP_FILE
from reslag_vae.runs.wandb_service import Mode, end_service, reason, start_run

log = logging.getLogger(__name__)


class SteadyLogger(WandbLogger):
    """A logger of W&B whose failure does not end the training.

    If W&B fails, the run continues without it and the log says so.

    Attributes:
        off: whether W&B gets nothing, or nothing more.
    """

    off = False

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._attempt(lambda: super(SteadyLogger, self).log_metrics(metrics, step))
        self._attempt(self._keep_step)

    def log_hyperparams(self, params: Any) -> None:
        self._attempt(lambda: super(SteadyLogger, self).log_hyperparams(params))

    def finalize(self, status: str) -> None:
        self._attempt(lambda: super(SteadyLogger, self).finalize(status))

    @rank_zero_only
    def log_pictures(self, pictures: Mapping[str, Path], **values: float) -> None:
        """Log PNG files by name, with values beside them."""
        import wandb

        def show() -> None:
            self.experiment.log(
                {name: wandb.Image(str(path)) for name, path in pictures.items()} | values
            )

        self._attempt(show)
        self._attempt(self._keep_step)

    @rank_zero_only
    def summarise(self, values: Mapping[str, float | str]) -> None:
        """Put values into the run's summary."""
        self._attempt(lambda: self.experiment.summary.update(dict(values)))

    @rank_zero_only
    def close(self, exit_code: int = 0) -> None:
        """End the W&B run, so that the next run of this process does not write into it."""
        self._attempt(lambda: self.experiment.finish(exit_code=exit_code))

    @rank_zero_only
    def _keep_step(self) -> None:
        write_atomically(Path(str(self.save_dir)) / STEP_FILE, str(self.experiment.step))

    def _attempt(self, action: Callable[[], object]) -> None:
        if self.off:
            return
        try:
            action()
        except Exception as error:
            # W&B's service may die, its disk be full or its connection break, in any way.
            self.off = True
            log.warning(
                "W&B has failed and gets nothing more of this run (%s); the run's folder gets "
                "everything.",
                reason(error),
            )
            end_service()


def wandb_logger(
    project: str, mode: Mode, group: str | None, folder: Path, config: dict[str, Any]
) -> SteadyLogger:
    """Return the logger of a run; a resumed run continues the same W&B run.

    If W&B does not start, for whatever reason, the log says so, and the logger does nothing.

    Args:
        project: name of the W&B project.
        mode: `auto` is online if the user is logged in, else offline. The variable WANDB_MODE, if
            set, overrides it.
        group: name that the runs of one sweep share.
        folder: folder of the run, which gets W&B's own files too.
        config: values by flat name, for the dashboard to group and filter by.

    Raises:
        ValueError: the mode is none of these.
    """
    if mode not in ("auto", "online", "offline"):
        raise ValueError(f"logger.mode={mode}: choose one of auto, online, offline.")
    os.environ.setdefault("WANDB_SILENT", "true")
    options = {"project": project, "group": group, "dir": folder, "config": config}
    run = start_run(mode, folder, options) if getattr(rank_zero_only, "rank", 0) == 0 else None
    # Where there is none, Lightning would start one itself.
    experiment: Any = _DummyExperiment() if run is None else run
    logger = SteadyLogger(save_dir=folder, project=project, experiment=experiment)
    logger.off = run is None
    return logger


def add_evaluation(
    logger: SteadyLogger,
    evaluation: str,
    numbers: dict[str, float | str],
    pictures: dict[str, Path],
) -> None:
    """Add an evaluation's numbers to a run's summary, and its pictures beside those of training.

    Args:
        logger: logger of the run.
        evaluation: name of the evaluation, which precedes that of each number and picture.
        numbers: numbers by name.
        pictures: PNG files by name.
    """
    logger.summarise({f"{evaluation}/{name}": value for name, value in numbers.items()})
    logger.log_pictures({f"{evaluation}/{name}": path for name, path in pictures.items()})

"""The tracker of Weights & Biases, which needs no account and no prompt."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.fabric.loggers.logger import _DummyExperiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from reslag_vae._runtime.files import write_atomically
from reslag_vae._runtime.packages import is_installed
from reslag_vae.runs.folder import STEP_FILE
from reslag_vae.runs.tracking import Tracker, with_epochs_from_1
from reslag_vae.runs.wandb_service import Mode, end_service, reason, start_run


class WandbTracker(Tracker, WandbLogger):
    """A tracker that writes to W&B.

    Attributes:
        keeps_model: whether the model of the best epoch is kept as an artifact.
    """

    title = "W&B"
    keeps_model = False

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        own = with_epochs_from_1(metrics)
        # Without the step, which would be a metric, `trainer/global_step`: of batches as they come
        # from the loader, of which one may be several minibatches.
        self.attempt(lambda: super(WandbTracker, self).log_metrics(own))
        self.attempt(self._keep_step)

    def log_hyperparams(self, params: Any) -> None:
        self.attempt(lambda: super(WandbTracker, self).log_hyperparams(params))

    def finalize(self, status: str) -> None:
        self.attempt(lambda: super(WandbTracker, self).finalize(status))

    @rank_zero_only
    def log_pictures(self, pictures: Mapping[str, Path], **values: float) -> None:
        import wandb

        def show() -> None:
            images = {name: wandb.Image(str(path)) for name, path in pictures.items()}
            self.experiment.log(images | values)

        self.attempt(show)
        self.attempt(self._keep_step)

    @rank_zero_only
    def summarise(self, values: Mapping[str, float | str]) -> None:
        self.attempt(lambda: self.experiment.summary.update(dict(values)))

    @rank_zero_only
    def show_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        import wandb

        def show() -> None:
            cells = [[shown(cell) for cell in row] for row in rows]
            self.experiment.log({name: wandb.Table(columns=list(columns), data=cells)})

        self.attempt(show)
        self.attempt(self._keep_step)

    @rank_zero_only
    def keep_model(self, checkpoint: Path, facts: Mapping[str, Any]) -> None:
        import wandb

        def keep() -> None:
            run = self.experiment
            artifact = wandb.Artifact(f"model-{run.id}", type="model", metadata=dict(facts))
            artifact.add_file(str(checkpoint))
            run.log_artifact(artifact, aliases=["best"])

        if self.keeps_model:
            self.attempt(keep)

    @rank_zero_only
    def close(self, exit_code: int = 0) -> None:
        self.attempt(lambda: self.experiment.finish(exit_code=exit_code))
        self.off = True  # what is logged later, as by trainer.validate, is no failure

    @rank_zero_only
    def _keep_step(self) -> None:
        write_atomically(Path(str(self.save_dir)) / STEP_FILE, str(self.experiment.step))

    def reason(self, error: Exception) -> str:
        return reason(error)

    def end(self) -> None:
        end_service()


def shown(cell: Any) -> Any:
    """Return a cell of a table as W&B takes it."""
    import wandb

    return wandb.Image(cell) if isinstance(cell, np.ndarray) else cell


def wandb_logger(
    project: str,
    mode: Mode,
    group: str | None,
    folder: Path,
    config: dict[str, Any],
    tags: Sequence[str] | None = None,
    notes: str | None = None,
    log_model: bool = False,
) -> WandbTracker:
    """Return the tracker of a run; a resumed run continues the same W&B run.

    If W&B does not start, for whatever reason, the log says so, and the tracker does nothing.

    Args:
        project: name of the W&B project.
        mode: `auto` is online if the user is logged in, else offline. The variable WANDB_MODE, if
            set, overrides it.
        group: name that the runs of one sweep share; None is that of the data.
        folder: folder of the run, which gets W&B's own files too.
        config: values by flat name, for the dashboard to group and filter by.
        tags: tags of the run; None are the names of model, data and objective.
        notes: notes on the run; None is its folder.
        log_model: whether the checkpoint of the best epoch is kept as an artifact.

    Raises:
        ValueError: the mode is none of these.
        ModuleNotFoundError: W&B is not installed.
    """
    if mode not in ("auto", "online", "offline"):
        raise ValueError(f"logger.mode={mode}: choose one of auto, online, offline.")
    if not is_installed("wandb"):
        raise ModuleNotFoundError("it needs wandb: pip install 'reslag_vae[train]'")
    os.environ.setdefault("WANDB_SILENT", "true")
    options = {
        "project": project,
        "group": group or config["data"],
        "job_type": "train",
        "tags": [config[name] for name in ("model", "data", "objective")] if tags is None else tags,
        "notes": str(folder) if notes is None else notes,
        "dir": folder,
        "config": config,
    }
    run = start_run(mode, folder, options) if getattr(rank_zero_only, "rank", 0) == 0 else None
    # Where there is none, Lightning would start one itself.
    experiment: Any = _DummyExperiment() if run is None else run
    tracker = WandbTracker(save_dir=folder, project=project, experiment=experiment)
    tracker.off, tracker.keeps_model = run is None, log_model
    return tracker

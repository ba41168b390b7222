"""The interface to whatever shows a run beside its folder: W&B, or any Lightning logger."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from reslag_vae.runs.folder import FIGURES

log = logging.getLogger(__name__)


class Tracker(Logger):
    """A Lightning logger that takes a run's pictures too, and whose failure ends no training.

    If it fails, the run goes on without it and the log says so.

    Attributes:
        title: name of what it writes to.
        off: whether that gets nothing, or nothing more.
    """

    title = "the tracker"
    off = False

    @abstractmethod
    def log_pictures(self, pictures: Mapping[str, Path], **values: float) -> None:
        """Log PNG files by name, with values beside them, of which `images_seen` is the x axis."""

    @abstractmethod
    def summarise(self, values: Mapping[str, float | str]) -> None:
        """Log values that the whole run has once."""

    def show_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Log a table, if there can be one.

        Args:
            name: name of the table.
            columns: names of its columns.
            rows: its cells; a uint8 array of (H, W) or (H, W, 3) is a picture.
        """

    def keep_model(self, checkpoint: Path, facts: Mapping[str, Any]) -> None:
        """Keep the checkpoint of the best epoch with some facts, if that was asked for."""

    def close(self, exit_code: int = 0) -> None:
        """End the run, so that the next one of this process does not write into it."""

    def attempt(self, action: Callable[[], object]) -> None:
        """Do something that may fail in any way; after a failure nothing more is done."""
        if self.off:
            return
        try:
            action()
        except Exception as error:
            # A service may die, its disk be full or its connection break, in any way.
            self.off = True
            log.warning(
                "%s has failed and gets nothing more of this run (%s); the run's folder gets "
                "everything.",
                self.title,
                self.reason(error),
            )
            self.end()

    def reason(self, error: Exception) -> str:
        """Return what an exception says, on one line."""
        return " ".join(f"{type(error).__name__}: {error}".split())

    def end(self) -> None:
        """End what would otherwise go on after a failure."""


def trackers(loggers: Sequence[Logger]) -> list[Tracker]:
    """Return those of a trainer's loggers that are trackers."""
    return [logger for logger in loggers if isinstance(logger, Tracker)]


def log_picture(loggers: Sequence[Logger], name: str, path: Path, images_seen: int) -> None:
    """Show a picture of training wherever the run is shown."""
    for tracker in trackers(loggers):
        tracker.log_pictures({f"{FIGURES}/{name}": path}, images_seen=images_seen)


def add_evaluation(
    tracker: Tracker,
    evaluation: str,
    numbers: Mapping[str, float | str],
    pictures: Mapping[str, Path],
) -> None:
    """Add an evaluation's numbers to a run's summary, and its pictures beside those of training.

    Args:
        tracker: tracker of the run.
        evaluation: name of the evaluation, which precedes that of each number and picture.
        numbers: numbers by name.
        pictures: PNG files by name.
    """
    tracker.summarise({f"{evaluation}/{name}": value for name, value in numbers.items()})
    tracker.log_pictures({f"{evaluation}/{name}": path for name, path in pictures.items()})


def with_epochs_from_1(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return metrics with the epoch counted as everywhere here; Lightning counts from 0."""
    own = dict(metrics)
    if "epoch" in own:
        own["epoch"] += 1
    return own

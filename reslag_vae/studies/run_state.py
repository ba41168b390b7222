"""The state of a run of a study, read from its folder: finished once metrics.json is there."""

from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from reslag_vae.runs.config import read_config
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import (
    CONFIG_FILE,
    FAILURE_FILE,
    is_finished,
    read_metrics,
)
from reslag_vae.runs.formats import read_json
from reslag_vae.runs.lock import is_occupied
from reslag_vae.studies.record import read_record


class State(Enum):
    """The state of a run.

    A refused run never began; it is run again like one that is still to go.
    """

    FINISHED = "finished"
    RUNNING = "running"
    FAILED = "failed"
    DAMAGED = "damaged"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    TO_GO = "to go"


# States that only a person can mend.
BROKEN = (State.FAILED, State.DAMAGED)


class RunStatus(NamedTuple):
    """The state and progress of a run.

    Attributes:
        state: the run's state.
        epochs: number of finished epochs.
        planned: number of epochs that the run will have at most.
        seconds: seconds of training so far.
        reason: why the run has no result; empty if nothing is wrong.
    """

    state: State
    epochs: int = 0
    planned: int = 0
    seconds: float = 0.0
    reason: str = ""

    @property
    def expected_seconds(self) -> float | None:
        """Seconds of training in all, exact for a finished run and None before the first epoch.

        Those of a run that has begun are estimated from its epochs.
        """
        if self.state is State.FINISHED:
            return self.seconds
        if not self.epochs:
            return None
        return self.seconds / self.epochs * max(self.planned, self.epochs)


def run_status(folder: Path) -> RunStatus:
    """Return the state and progress of the run in a folder."""
    try:
        if is_finished(folder):
            return status_of_finished(read_record(folder)[0])
        state = state_of_unfinished(folder)
        epochs, seconds = progress(folder)
        reason = failure_reason(folder) if state in (State.FAILED, State.REFUSED) else ""
        return RunStatus(state, epochs, planned_epochs(folder), seconds, reason)
    except RunError as error:
        return RunStatus(State.DAMAGED, reason=str(error))


def status_of_finished(result: dict[str, Any]) -> RunStatus:
    """Return the status of a run with a result."""
    epochs, seconds = result["epochs_run"], result.get("seconds", 0.0)
    seconds = float(seconds) if isinstance(seconds, int | float) else 0.0
    return RunStatus(State.FINISHED, epochs, epochs, seconds)


def state_of_unfinished(folder: Path) -> State:
    """Return the state of a run without a result."""
    if is_occupied(folder):
        return State.RUNNING
    begun = (folder / CONFIG_FILE).is_file()
    if (folder / FAILURE_FILE).is_file():
        return State.FAILED if begun else State.REFUSED
    return State.INTERRUPTED if begun else State.TO_GO


def progress(folder: Path) -> tuple[int, float]:
    """Return the number of epochs and the seconds of training of an unfinished run.

    Raises:
        RunError: metrics.csv is damaged.
    """
    rows = read_metrics(folder)
    seen = [row.get("images_seen", 0.0) for row in rows]
    images = [after - before for before, after in pairwise([0.0, *seen])]
    speeds = [row.get("images_per_second", 0.0) for row in rows]
    seconds = [count / speed for count, speed in zip(images, speeds, strict=True) if speed]
    return len(rows), sum(seconds)


def planned_epochs(folder: Path) -> int:
    """Return the number of epochs that a run will have at most; 0 if it has not begun.

    Raises:
        RunError: config.yaml is damaged.
    """
    if not (folder / CONFIG_FILE).is_file():
        return 0
    try:
        return int(read_config(folder)["trainer"]["max_epochs"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise RunError(
            f"{folder / CONFIG_FILE} is damaged: it does not say for how many epochs the run is."
        ) from None


def failure_reason(folder: Path) -> str:
    """Return why a run failed."""
    try:
        return str(read_json(folder / FAILURE_FILE)["reason"])
    except (RunError, KeyError):
        return f"{folder / FAILURE_FILE} cannot be read"

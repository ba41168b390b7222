"""How far a run of a study is, read from its folder."""

from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from reslag_vae.runs.config import read_config
from reslag_vae.runs.folder import (
    CONFIG_FILE,
    FAILURE_FILE,
    RESULT_FILE,
    RunError,
    read_json,
    read_metrics,
    read_result,
)
from reslag_vae.runs.lock import is_occupied


class State(Enum):
    """Of a run. What was refused never began: it is run again as if it were to go."""

    FINISHED = "finished"
    RUNNING = "running"
    FAILED = "failed"
    DAMAGED = "damaged"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    TO_GO = "to go"


# Those that only a person can mend.
BROKEN = (State.FAILED, State.DAMAGED)


class Standing(NamedTuple):
    """How far a run is.

    Attributes:
        state: of it.
        epochs: that are done.
        planned: epochs that it is going to have at most.
        seconds: of training so far.
        reason: why it has no result; empty if nothing is wrong.
    """

    state: State
    epochs: int = 0
    planned: int = 0
    seconds: float = 0.0
    reason: str = ""

    @property
    def expected_seconds(self) -> float | None:
        """How long it trains in all: known of a finished run, estimated by its epochs of one that has begun."""
        if self.state is State.FINISHED:
            return self.seconds
        return self.seconds / self.epochs * max(self.planned, self.epochs) if self.epochs else None


def standing(folder: Path) -> Standing:
    """How far the run in this folder is."""
    try:
        if (folder / RESULT_FILE).is_file():
            return finished(read_result(folder))
        state = state_of_unfinished(folder)
        epochs, seconds = progress(folder)
        reason = failure(folder) if state in (State.FAILED, State.REFUSED) else ""
        return Standing(state, epochs, planned_epochs(folder), seconds, reason)
    except RunError as error:
        return Standing(State.DAMAGED, reason=str(error))


def finished(result: dict[str, Any]) -> Standing:
    """Of a run with a result."""
    epochs, seconds = (result.get(name) for name in ("epochs_run", "seconds"))
    known = epochs if isinstance(epochs, int) else 0
    return Standing(
        State.FINISHED, known, known, float(seconds) if isinstance(seconds, int | float) else 0.0
    )


def state_of_unfinished(folder: Path) -> State:
    """The state of a run without a result."""
    if is_occupied(folder):
        return State.RUNNING
    begun = (folder / CONFIG_FILE).is_file()
    if (folder / FAILURE_FILE).is_file():
        return State.FAILED if begun else State.REFUSED
    return State.INTERRUPTED if begun else State.TO_GO


def progress(folder: Path) -> tuple[int, float]:
    """Epochs and seconds of training of an unfinished run.

    Raises:
        RunError: metrics.csv is damaged.
    """
    rows = read_metrics(folder)
    seen = [row.get("images_seen", 0.0) for row in rows]
    shares = [after - before for before, after in zip([0.0, *seen], seen, strict=False)]
    speeds = [row.get("images_per_second", 0.0) for row in rows]
    return len(rows), sum(
        share / speed for share, speed in zip(shares, speeds, strict=True) if speed
    )


def planned_epochs(folder: Path) -> int:
    """Epochs that a run is going to have at most; 0 if it has not begun.

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


def failure(folder: Path) -> str:
    """Why a run failed."""
    try:
        return str(read_json(folder / FAILURE_FILE)["reason"])
    except (RunError, KeyError):
        return f"{folder / FAILURE_FILE} cannot be read"

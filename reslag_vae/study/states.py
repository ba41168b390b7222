"""How far a run of a study is, read from its folder."""

import json
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from reslag_vae.occupancy import FAILURE_FILE, is_occupied
from reslag_vae.runs import CONFIG_FILE, RESULT_FILE, RunError, read_metrics, read_result


class State(Enum):
    """Of a run."""

    FINISHED = "finished"
    RUNNING = "running"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    TO_GO = "to go"


class Standing(NamedTuple):
    """How far a run is.

    Attributes:
        state: of it.
        epochs: that are done.
        seconds: of training so far.
        reason: why it failed; empty otherwise.
    """

    state: State
    epochs: int = 0
    seconds: float = 0.0
    reason: str = ""


def standing(folder: Path) -> Standing:
    """How far the run in this folder is.

    Raises:
        RunError: its metrics.json is damaged.
    """
    if (folder / RESULT_FILE).is_file():
        result = read_result(folder)
        return Standing(State.FINISHED, int(result.get("epochs_run", 0)), float(result.get("seconds", 0.0)))
    state = state_of_unfinished(folder)
    epochs, seconds = progress(folder)
    return Standing(state, epochs, seconds, failure(folder) if state is State.FAILED else "")


def state_of_unfinished(folder: Path) -> State:
    """The state of a run without a result."""
    if is_occupied(folder):
        return State.RUNNING
    if (folder / FAILURE_FILE).is_file():
        return State.FAILED
    return State.INTERRUPTED if (folder / CONFIG_FILE).is_file() else State.TO_GO


def progress(folder: Path) -> tuple[int, float]:
    """Epochs and seconds of training of an unfinished run."""
    try:
        rows = read_metrics(folder)
    except RunError:  # the run itself will say so when it is gone on with
        return 0, 0.0
    if not rows:
        return 0, 0.0
    seen = [row.get("images_seen", 0.0) for row in rows]
    shares = [after - before for before, after in zip([0.0, *seen], seen, strict=False)]
    speeds = [row.get("images_per_second", 0.0) for row in rows]
    return len(rows), sum(share / speed for share, speed in zip(shares, speeds, strict=True) if speed)


def failure(folder: Path) -> str:
    """Why a run failed, in a line."""
    try:
        content: Any = json.loads((folder / FAILURE_FILE).read_text(encoding="utf-8"))
        return str(content["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"{folder / FAILURE_FILE} cannot be read"

"""How far a study is: a table, and an estimate of the time left."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from reslag_vae.study.grid import Job
from reslag_vae.study.states import Standing, State, standing

MARKS = {
    State.FINISHED: "green",
    State.RUNNING: "cyan",
    State.FAILED: "red",
    State.INTERRUPTED: "yellow",
    State.TO_GO: "dim",
}

Standings = Mapping[Job, Standing]


def standings(folder: Path, jobs: Sequence[Job]) -> dict[Job, Standing]:
    """How far each run is.

    Args:
        folder: of the study's results.
        jobs: its runs.
    """
    return {job: standing(folder / job.folder) for job in jobs}


def count_of(found: Standings) -> str:
    """`5 of 12 runs finished, 1 failed, 6 to go`."""
    counts = Counter(own.state for own in found.values())
    first = f"{counts[State.FINISHED]} of {len(found)} runs finished"
    return ", ".join([first, *(f"{counts[state]} {state.value}" for state in list(State)[1:] if counts[state])])


def seconds_left(found: Standings) -> tuple[float, list[str]]:
    """Seconds of training that are left, one run after another, and the data sets that are not counted.

    A run is taken to last as long as those of its row on its data set did, else as the mean of those on its data set;
    where none has finished, it is not counted.
    """
    left, unknown = 0.0, []
    for job, own in found.items():
        if own.state in (State.FINISHED, State.FAILED):
            continue
        expected = expected_seconds(job, found)
        if expected is None:
            unknown.append(job.data)
        else:
            left += max(0.0, expected - own.seconds)
    return left, list(dict.fromkeys(unknown))


def expected_seconds(job: Job, found: Standings) -> float | None:
    """How long a run is going to train, by those that have finished; None if none of its data set has."""
    finished = {other: own.seconds for other, own in found.items() if own.state is State.FINISHED}
    alike = [seconds for other, seconds in finished.items() if (other.data, other.row) == (job.data, job.row)]
    near = [seconds for other, seconds in finished.items() if other.data == job.data]
    return mean(alike or near) if near else None


def time_left(found: Standings) -> str:
    """The estimate in words; empty if nothing is left."""
    going = [own for own in found.values() if own.state not in (State.FINISHED, State.FAILED)]
    if not going:
        return ""
    left, unknown = seconds_left(found)
    side_by_side = max(1, sum(own.state is State.RUNNING for own in going))
    words = f"about {duration(left / side_by_side)} of training left"
    if side_by_side > 1:
        words += f", {side_by_side} runs side by side"
    if unknown:
        words += f"; not counted: {', '.join(unknown)}, of which no run has finished"
    return words


def duration(seconds: float) -> str:
    """`2 h 05 min`, `12 min`, `40 s`."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def report(found: Standings) -> Group:
    """A line for each data set and row, then the reasons of failures, the counts and the time left."""
    table = Table(title_justify="left")
    for column in ("data", "row", "runs"):
        table.add_column(column, no_wrap=column == "data")
    groups: dict[tuple[str, str], list[tuple[Job, Standing]]] = {}
    for job, own in found.items():
        groups.setdefault((job.data, job.row), []).append((job, own))
    for (data, row), members in groups.items():
        table.add_row(data, row, ", ".join(described(own) for _, own in members))
    return Group(table, *failures(found), *filter(None, (count_of(found), time_left(found))))


def failures(found: Standings) -> list[str]:
    """Each reason once, with the runs that failed for it."""
    folders: dict[str, list[str]] = {}
    for job, own in found.items():
        if own.state is State.FAILED:
            folders.setdefault(own.reason, []).append(job.folder)
    return [f"[red]failed[/]: {escape(reason)}\n  {', '.join(names)}" for reason, names in folders.items()]


def described(own: Standing) -> str:
    """The state, with the epochs of a run that has begun and not ended."""
    begun = own.state in (State.RUNNING, State.INTERRUPTED)
    text = f"{own.state.value}, {own.epochs} epochs done" if begun else own.state.value
    return f"[{MARKS[own.state]}]{text}[/]"


def show(found: Standings) -> None:
    """Print it."""
    Console().print(report(found))

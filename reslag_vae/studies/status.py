"""How far a study is: a table, and an estimate of the time left."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from statistics import mean

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from reslag_vae.studies.grid import Job
from reslag_vae.studies.states import BROKEN, Standing, State, standing

MARKS = {
    State.FINISHED: "green",
    State.RUNNING: "cyan",
    State.FAILED: "red",
    State.DAMAGED: "red",
    State.REFUSED: "red",
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
    return ", ".join(
        [first, *(f"{counts[state]} {state.value}" for state in list(State)[1:] if counts[state])]
    )


def seconds_left(found: Standings) -> tuple[float, list[str]]:
    """Seconds of training that are left, one run after another, and the data sets that are not counted.

    A run is taken to last as its own epochs say, else as those of its row on its data set, else as
    the mean of those on its data set; where none has an epoch behind it, it is not counted.
    """
    left, unknown = 0.0, []
    for job, own in found.items():
        if own.state is State.FINISHED or own.state in BROKEN:
            continue
        expected = own.expected_seconds or expected_seconds(job, found)
        if expected is None:
            unknown.append(job.data)
        else:
            left += max(0.0, expected - own.seconds)
    return left, list(dict.fromkeys(unknown))


def expected_seconds(job: Job, found: Standings) -> float | None:
    """How long a run is going to train, by those that have begun; None if none of its data set has."""
    known = {other: own.expected_seconds for other, own in found.items() if other.data == job.data}
    near = {other: seconds for other, seconds in known.items() if seconds is not None}
    alike = [seconds for other, seconds in near.items() if other.row == job.row]
    return mean(alike or near.values()) if near else None


def time_left(found: Standings) -> str:
    """The estimate in words; empty if nothing is left."""
    going = [
        own for own in found.values() if own.state is not State.FINISHED and own.state not in BROKEN
    ]
    if not going:
        return ""
    left, unknown = seconds_left(found)
    if left == 0:
        return "how much time is left is not known before the first epoch has ended"
    side_by_side = max(1, sum(own.state is State.RUNNING for own in going))
    words = f"about {duration(left / side_by_side)} of training left"
    if side_by_side > 1:
        words += f", {side_by_side} runs side by side"
    if unknown:
        words += f"; not counted: {', '.join(unknown)}, of which no epoch has ended"
    return words


def duration(seconds: float) -> str:
    """`2 h 05 min`, `12 min`, `40 s`."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def show(found: Standings, console: Console | None = None) -> None:
    """Print a line for each data set and row, then why runs have no result, the counts and the time left."""
    console = Console() if console is None else console
    console.print(table_of(found))
    for line in [*reasons(found), *filter(None, (count_of(found), time_left(found)))]:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def table_of(found: Standings) -> Table:
    """A line for each data set and row."""
    table = Table(title_justify="left")
    for column in ("data", "row", "runs"):
        table.add_column(column, no_wrap=column == "data")
    groups: dict[tuple[str, str], list[tuple[Job, Standing]]] = {}
    for job, own in found.items():
        groups.setdefault((job.data, job.row), []).append((job, own))
    for (data, row), members in groups.items():
        table.add_row(
            escape(data), escape(row), "; ".join(described(job, own) for job, own in members)
        )
    return table


def reasons(found: Standings) -> list[Text]:
    """Each reason for which runs have no result once, with these runs."""
    folders: dict[tuple[State, str], list[str]] = {}
    for job, own in found.items():
        if own.reason:
            folders.setdefault((own.state, own.reason), []).append(job.folder)
    return [
        Text(f"{state.value}: {', '.join(names)}\n{reason}", style="red")
        for (state, reason), names in folders.items()
    ]


def described(job: Job, own: Standing) -> str:
    """The seed and the state, with the epochs of a run that has begun and not ended."""
    begun = own.state in (State.RUNNING, State.INTERRUPTED)
    text = f"{own.state.value} ({own.epochs} of {own.planned} epochs)" if begun else own.state.value
    return (
        f"{escape(PurePosixPath(job.folder).name.replace('_', ' '))} [{MARKS[own.state]}]{text}[/]"
    )

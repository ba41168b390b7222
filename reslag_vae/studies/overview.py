"""How far a study is: a table of its runs, and an estimate of the time left."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from reslag_vae._runtime.errors import printable_lines
from reslag_vae.studies.grid import Job
from reslag_vae.studies.run_state import BROKEN, RunStatus, State, run_status

MARKS = {
    State.FINISHED: "green",
    State.RUNNING: "cyan",
    State.FAILED: "red",
    State.DAMAGED: "red",
    State.REFUSED: "red",
    State.INTERRUPTED: "yellow",
    State.TO_GO: "dim",
}

RunStatuses = Mapping[Job, RunStatus]


def run_statuses(folder: Path, jobs: Sequence[Job]) -> dict[Job, RunStatus]:
    """Return the status of each run.

    Args:
        folder: folder of the study's results.
        jobs: the study's runs.
    """
    return {job: run_status(folder / job.folder) for job in jobs}


def count_of(found: RunStatuses) -> str:
    """Return the number of runs in each state: `5 of 12 runs finished, 1 failed, 6 to go`."""
    counts = Counter(own.state for own in found.values())
    parts = [f"{counts[State.FINISHED]} of {len(found)} runs finished"]
    parts += [f"{counts[state]} {state.value}" for state in list(State)[1:] if counts[state]]
    return ", ".join(parts)


def seconds_left(found: RunStatuses) -> tuple[float, list[str]]:
    """Return the seconds of training left, and the data sets that they leave out.

    The seconds are those of one run after another. The expected length of a run follows from its
    own epochs, else from the runs of its row on its data set, else from all runs on its data set;
    if none of these has finished an epoch, the run is left out.
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


def expected_seconds(job: Job, found: RunStatuses) -> float | None:
    """Return the expected seconds of a run by those on its data set, or None if none has begun."""
    known = {other: own.expected_seconds for other, own in found.items() if other.data == job.data}
    near = {other: seconds for other, seconds in known.items() if seconds is not None}
    alike = [seconds for other, seconds in near.items() if other.row == job.row]
    return mean(alike or near.values()) if near else None


def time_left(found: RunStatuses) -> str:
    """Return the estimate of the time left in words; empty if nothing is left."""
    going = [
        own for own in found.values() if own.state is not State.FINISHED and own.state not in BROKEN
    ]
    if not going:
        return ""
    left, unknown = seconds_left(found)
    if unknown and not left:
        return "how much time is left is not known before the first epoch has ended"
    side_by_side = max(1, sum(own.state is State.RUNNING for own in going))
    words = f"about {duration(left / side_by_side)} of training left"
    if side_by_side > 1:
        words += f", {side_by_side} runs side by side"
    if unknown:
        words += f"; not counted: {', '.join(unknown)}, of which no epoch has ended"
    return words


def duration(seconds: float) -> str:
    """Return a duration in words: `2 h 05 min`, `12 min` or `40 s`."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def print_status(found: RunStatuses, console: Console | None = None) -> None:
    """Print the table of runs, the reasons for missing results, the counts and the time left."""
    console = Console() if console is None else console
    console.print(table_of(found))
    for line in [*reasons(found), count_of(found), time_left(found)]:
        if not line:
            continue
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def table_of(found: RunStatuses) -> Table:
    """Return a table with a line for each data set and row."""
    table = Table(title_justify="left")
    for column in ("data", "row", "runs"):
        table.add_column(column, no_wrap=column == "data")
    groups: dict[tuple[str, str], list[tuple[Job, RunStatus]]] = {}
    for job, own in found.items():
        groups.setdefault((job.data, job.row), []).append((job, own))
    for (data, row), members in groups.items():
        table.add_row(
            escape(data), escape(row), "; ".join(seed_status(job, own) for job, own in members)
        )
    return table


def reasons(found: RunStatuses) -> list[Text]:
    """Return each reason for missing results once, with the runs that it is about."""
    folders: dict[tuple[State, str], list[str]] = {}
    for job, own in found.items():
        if own.reason:
            folders.setdefault((own.state, own.reason), []).append(job.folder)
    return [
        Text(f"{state.value}: {', '.join(names)}\n{printable_lines(reason)}", style="red")
        for (state, reason), names in folders.items()
    ]


def seed_status(job: Job, own: RunStatus) -> str:
    """Return a run's seed and state, with the epochs of a run that has begun and not ended."""
    begun = own.state in (State.RUNNING, State.INTERRUPTED)
    epochs = f" ({own.epochs} of {own.planned} epochs)" if begun else ""
    seed = escape(job.seed.replace("_", " "))
    return f"{seed} [{MARKS[own.state]}]{own.state.value}{epochs}[/]"

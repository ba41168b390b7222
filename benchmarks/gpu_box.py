"""Parts of a measurement, each a process with a time limit; none stops another."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# Seconds in which a process ends by itself when it is asked to.
GRACE = 8.0

PASSED, FAILED, OUT_OF_TIME, LEFT_OUT = "passed", "failed", "ran out of time", "left out"


@dataclass(frozen=True)
class Part:
    """A part of a measurement.

    Attributes:
        name: name of the part, and of its log.
        command: command line of its process.
        seconds: its share of the time; it also has what the parts before it have left.
        beside: a part that is not waited for, and ends with this one; None if there is none.
    """

    name: str
    command: Sequence[str]
    seconds: float
    beside: "Part | None" = None


@dataclass(frozen=True)
class Outcome:
    """What has become of a part.

    Attributes:
        name: name of the part.
        verdict: whether it has passed, has failed, ran out of time or was left out.
        seconds: how long it took.
        words: what there is to add.
    """

    name: str
    verdict: str
    seconds: float
    words: str = ""


def run_parts(
    parts: Sequence[Part],
    logs: Path,
    seconds: float,
    variables: Mapping[str, str],
    after: Callable[[list[Outcome]], object],
) -> list[Outcome]:
    """Run parts one after the other, and return what has become of each.

    Args:
        parts: the parts, in order.
        logs: folder of the logs.
        seconds: time for all of them.
        variables: environment variables of the processes, besides this one's own.
        after: function that is given the outcomes so far, after each part.
    """
    started = time.monotonic()
    outcomes: list[Outcome] = []
    for number, part in enumerate(parts):
        later = sum(other.seconds for other in parts[number + 1 :])
        left = seconds - (time.monotonic() - started) - GRACE
        limit = min(left, max(part.seconds, left - later))
        outcomes.append(run_part(part, logs, limit, variables))
        after(outcomes)
    return outcomes


def run_part(part: Part, logs: Path, limit: float, variables: Mapping[str, str]) -> Outcome:
    """Run a part for a limited time, and return what has become of it."""
    if limit <= 0:
        return Outcome(part.name, LEFT_OUT, 0.0, "no time is left")
    started = time.monotonic()
    beside = None if part.beside is None else begin(part.beside, logs, variables)
    process = begin(part, logs, variables)
    try:
        code = process.wait(limit)
        verdict, words = (PASSED, "") if code == 0 else (FAILED, f"exit code {code}")
    except subprocess.TimeoutExpired:
        verdict, words = OUT_OF_TIME, f"limit {limit:.0f} s"
    finally:
        end(process)
        if beside is not None:
            end(beside)
    return Outcome(part.name, verdict, time.monotonic() - started, words)


def begin(part: Part, logs: Path, variables: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Return the process of a part, in a session of its own so that its children end with it."""
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / f"{part.name}.txt").open("wb") as log:
        return subprocess.Popen(
            part.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | variables,
            start_new_session=True,
        )


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process as a person would, then by force, and all that it has started."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

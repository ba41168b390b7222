"""Rounds in which contenders take turns, each in its own process.

In each round every contender has one turn. Contenders share nothing but the machine. A child
process trains a warm-up turn, says "ready", trains one turn for each "go" and says how long it
took, and after "end" says how much of the accelerator's memory it has used. It answers when it is
idle again: what a framework does after an epoch is then over, too, and disturbs no other turn.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import report

ROOT = Path(__file__).parents[1]
# Progress bars are drawn as in a terminal, but to the null device; W&B stays offline and quiet.
ENVIRONMENT = {
    "FORCE_COLOR": "1",
    "TERM": "xterm-256color",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
}
PATIENCE = 30.0  # seconds for a child to end by itself
TAIL = 2_000  # characters of a failed child's log


class FinishedError(Exception):
    """The end of a contender's training: there are no more turns."""


class LostError(RuntimeError):
    """A child process that has died; the message is the end of its log."""


@dataclass(frozen=True)
class Job:
    """The task of a child process.

    Attributes:
        contender: key of the contender.
        workload: name of the workload.
        batch_size: number of images in a minibatch.
        images: number of images in a turn, a multiple of `batch_size`.
        count: number of training images, at least `images`.
        folder: folder for the child's files.
    """

    contender: str
    workload: str
    batch_size: int
    images: int
    count: int
    folder: str

    @property
    def batches(self) -> int:
        """The number of minibatches in a turn."""
        return self.images // self.batch_size


class Turns:
    """The child's side of the turns; it redirects the child's standard output to the null device.

    Args:
        images: number of images in a turn.
    """

    def __init__(self, images: int) -> None:
        self.images = images
        self.answer: str | None = None
        self.answers = os.fdopen(os.dup(1), "w")
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    def begin(self) -> None:
        """Report how long the last turn took, and wait for the next one.

        The first turn is the warm-up, and begins at once.

        Raises:
            FinishedError: there are no more turns, or the parent process is gone.
        """
        if self.answer is None:
            return
        self.say(self.answer)
        if sys.stdin.readline().strip() != "go":
            raise FinishedError

    def end(self, seconds: float) -> None:
        """End a turn that took so many seconds."""
        is_warm_up = self.answer is None
        result = json.dumps({"seconds": seconds, "images": self.images})
        self.answer = "ready" if is_warm_up else result

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Wait for a turn, and time what is done within the context."""
        self.begin()
        started = time.perf_counter()
        yield
        self.end(synchronized_time() - started)

    def say(self, line: str) -> None:
        """Send a line to the parent process, which may be gone."""
        with suppress(BrokenPipeError):
            print(line, file=self.answers, flush=True)

    def say_memory(self) -> None:
        """Send the largest amount of the accelerator's memory held, in bytes, as the last line."""
        peak = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else None
        self.say(json.dumps({"device_memory": peak}))


def synchronized_time() -> float:
    """Return the time when the device has finished its work."""
    report.synchronize()
    return time.perf_counter()


class Child:
    """The parent's side of the turns: a contender's process, with its warm-up begun.

    Args:
        job: the task of the child.
        variables: environment variables, besides this process' own. Without any, threads wait as
            they do where nothing else runs.
        checkout: checkout of this project whose code the child runs.
    """

    def __init__(
        self, job: Job, variables: dict[str, str] | None = None, checkout: Path = ROOT
    ) -> None:
        self.log = Path(job.folder) / "log.txt"
        with self.log.open("w") as log:
            # A session of its own, so that the child's workers can be ended with it.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.contenders", json.dumps(asdict(job))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=checkout,
                env=os.environ | ENVIRONMENT | (variables or {}),
                start_new_session=True,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.to, self.answers = self.process.stdin, self.process.stdout

    def read(self) -> str:
        """Return the child's next line.

        Raises:
            LostError: the child has died.
        """
        line = self.answers.readline()
        if not line:
            code = self.process.wait()
            # Only the last state of a progress bar is worth reading; the others end in a return.
            log = re.sub(r"[^\n]*\r", "", self.log.read_text(errors="replace")).strip()[-TAIL:]
            if code > 0 and log:
                raise LostError(log)
            raise LostError(f"{log}\nended with exit code {code}".strip())
        return line.strip()

    def ready(self) -> None:
        """Wait until the warm-up is over.

        Raises:
            LostError: the child has died.
        """
        if (line := self.read()) != "ready":
            raise LostError(f"not ready but {line}")

    def turn(self) -> dict[str, Any]:
        """Train one turn; return its seconds and images, and the memory held then, in bytes.

        Raises:
            LostError: the child has died.
        """
        self.go()
        return self.result()

    def go(self) -> None:
        """Begin a turn."""
        with suppress(BrokenPipeError):
            print("go", file=self.to, flush=True)

    def result(self) -> dict[str, Any]:
        """Wait for the end of the turn that has begun, and return its measurements.

        Raises:
            LostError: the child has died.
        """
        answer: dict[str, Any] = json.loads(self.read())
        return answer | {"memory": held_memory(self.process.pid)}

    def end(self) -> dict[str, Any]:
        """Tell the child to end, and return its last line.

        Raises:
            LostError: the child has died.
        """
        with suppress(BrokenPipeError):
            print("end", file=self.to, flush=True)
        answer: dict[str, Any] = json.loads(self.read())
        return answer

    def close(self) -> None:
        """End the child and what it has started, whatever state it is in."""
        with suppress(BrokenPipeError):
            self.to.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.answers.close()


def held_memory(process: int) -> int:
    """Return the bytes of memory that a process and its descendants hold.

    Memory that several of them share counts once.
    """
    processes, total = [process], 0
    for one in processes:
        with suppress(OSError):  # one that has just ended
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                processes += map(int, children.read_text().split())
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
            kilobytes = re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)
            total += 1024 * sum(map(int, kilobytes))
    return total

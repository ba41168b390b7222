"""Contenders in processes of their own that take turns, so that they share nothing but the machine.

A child trains a warm-up turn, says "ready", trains one turn for each "go" and says how long it
took, and after "end" says how much of the accelerator's memory it has used. What it says comes when
it is idle again: also what a framework does after an epoch is over by then, and disturbs nobody's
turn.
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
from reslag_vae._runtime import process

ROOT = Path(__file__).parents[1]
# Progress bars are drawn as in a terminal, but into nowhere; W&B stays offline and quiet.
ENVIRONMENT = {
    "FORCE_COLOR": "1",
    "TERM": "xterm-256color",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
}
PATIENCE = 30.0  # seconds for a child to end by itself
TAIL = 2_000  # characters of a failed child's log


class FinishedError(Exception):
    """There are no more turns: what ends a contender's training."""


class LostError(RuntimeError):
    """A child has died. The message is the end of its log."""


@dataclass(frozen=True)
class Job:
    """What a child is to do.

    Attributes:
        contender: its key.
        work: the name of the work.
        batch_size: images in a minibatch.
        images: in a turn, a multiple of `batch_size`.
        count: of training images, at least `images`.
        folder: for the child's files.
    """

    contender: str
    work: str
    batch_size: int
    images: int
    count: int
    folder: str

    @property
    def batches(self) -> int:
        """In a turn."""
        return self.images // self.batch_size


class Turns:
    """The child's side. Its own standard output is from now on nowhere.

    Args:
        images: in a turn.
    """

    def __init__(self, images: int) -> None:
        self.images = images
        self.answer: str | None = None
        self.answers = os.fdopen(os.dup(1), "w")
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    def begin(self) -> None:
        """Say how long the turn before took, and wait for the next. The first one is the warm-up, and begins at once.

        Raises:
            FinishedError: there is no next, or nobody to measure it.
        """
        if self.answer is None:
            return
        self.say(self.answer)
        if sys.stdin.readline().strip() != "go":
            raise FinishedError

    def end(self, seconds: float) -> None:
        """A turn of that length is over."""
        self.answer = (
            "ready"
            if self.answer is None
            else json.dumps({"seconds": seconds, "images": self.images})
        )

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Wait for a turn, and time what is done in it."""
        self.begin()
        started = time.perf_counter()
        yield
        self.end(stopped() - started)

    def say(self, line: str) -> None:
        """To the parent, which may be gone."""
        with suppress(BrokenPipeError):
            print(line, file=self.answers, flush=True)

    def say_memory(self) -> None:
        """The last word: the largest amount of the accelerator's memory held, in bytes."""
        peak = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else None
        self.say(json.dumps({"device_memory": peak}))


def stopped() -> float:
    """The time when the device has done all that it was given."""
    report.synchronize()
    return time.perf_counter()


class Child:
    """The parent's side: a contender's process, with its warm-up begun.

    Args:
        job: what it is to do.
        variables: of its environment, beside this process'; by default what train.py sets for our
            own training.
    """

    def __init__(self, job: Job, variables: dict[str, str] | None = None) -> None:
        if variables is None:
            variables = process.BRIEF if job.contender.startswith("ours") else {}
        self.log = Path(job.folder) / "log.txt"
        with self.log.open("w") as log:
            # A session of its own, so that its workers can be ended with it.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.contenders", json.dumps(asdict(job))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env=os.environ | ENVIRONMENT | variables,
                start_new_session=True,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.to, self.answers = self.process.stdin, self.process.stdout

    def read(self) -> str:
        """Its next line.

        Raises:
            LostError: it has died.
        """
        line = self.answers.readline()
        if not line:
            code = self.process.wait()
            # Of a progress bar's states, which end in a return, only the last is worth reading.
            log = re.sub(r"[^\n]*\r", "", self.log.read_text(errors="replace")).strip()[-TAIL:]
            raise LostError(
                log if code > 0 and log else f"{log}\nended with exit code {code}".strip()
            )
        return line.strip()

    def ready(self) -> None:
        """Wait until its warm-up is over.

        Raises:
            LostError: it has died.
        """
        if (line := self.read()) != "ready":
            raise LostError(f"not ready but {line}")

    def turn(self) -> dict[str, Any]:
        """Let it train one turn: its seconds and images, and the memory it holds then, in bytes.

        Raises:
            LostError: it has died.
        """
        self.go()
        return self.result()

    def go(self) -> None:
        """Begin a turn."""
        with suppress(BrokenPipeError):
            print("go", file=self.to, flush=True)

    def result(self) -> dict[str, Any]:
        """Wait for the end of the turn that has begun.

        Raises:
            LostError: it has died.
        """
        answer: dict[str, Any] = json.loads(self.read())
        return answer | {"memory": held(self.process.pid)}

    def end(self) -> dict[str, Any]:
        """Let it go: its last word.

        Raises:
            LostError: it had died before.
        """
        with suppress(BrokenPipeError):
            print("end", file=self.to, flush=True)
        answer: dict[str, Any] = json.loads(self.read())
        return answer

    def close(self) -> None:
        """End it, and what it has started, whatever state it is in."""
        with suppress(BrokenPipeError):
            self.to.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.answers.close()


def held(process: int) -> int:
    """Bytes of memory that a process and its descendants hold; what several share counts once."""
    processes, total = [process], 0
    for one in processes:
        with suppress(OSError):  # one that has just ended
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                processes += map(int, children.read_text().split())
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
            total += 1024 * sum(
                int(number) for number in re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)
            )
    return total

"""Measure training steps beside what people would write instead, each row as soon as it is there.

Usage: python -m benchmarks.gpu_steps --out gpu

All contenders of `benchmarks.contenders` that matter on a GPU, in one process and one after the
other, the most important first. The kernel time is that of a further turn under the profiler: if
the ratio is near one, the GPU never waits for Python.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException

from benchmarks.contenders import AGGRESSIVE, CONTENDERS, ours
from benchmarks.gpu_toggles import TOGGLES
from benchmarks.gpu_turns import MOST, TurnsHere
from benchmarks.report import Table, as_markdown, synchronize
from benchmarks.rounds import FinishedError, Job, Turns
from reslag_vae._runtime import process
from reslag_vae._runtime.errors import first_line
from reslag_vae._runtime.files import write_atomically
from reslag_vae.training import system

ROWS_FILE = "steps.json"

# Images of a turn; a quarter of them where a step makes six updates.
IMAGES = {"fashion_mnist": 8_192, "cifar10": 8_192, "celeba": 4_096}
SHARE = 4

Train = Callable[[Job, Turns], None]

GRAPHED, COMPILED = "trainer.compile=auto", "trainer.compile=true"
BF16 = "trainer.precision=bf16-mixed"


def trained_so(*overrides: str, at_once: int | None = None) -> Train:
    """Return our own training with options, and perhaps a number of minibatches at once."""
    return partial(ours, overrides=overrides, at_once=at_once)


def launched_singly(train: Train) -> Train:
    """Return a training that captures no steps, though a GPU could."""

    def trained(job: Job, turns: Turns) -> None:
        with patch.object(system, "may_be_graphs", lambda *_: False):
            train(job, turns)

    return trained


# "auto" compiles nothing in so short a run, and captures all the same.
OURS: dict[str, Train] = {
    "eager": trained_so(),
    "compiled": launched_singly(trained_so(COMPILED)),
    "graphed, 1 at once": trained_so(GRAPHED, at_once=1),
    "graphed": trained_so(GRAPHED),
    "compiled, graphed": trained_so(COMPILED),
    "compiled, graphed, bf16": trained_so(COMPILED, BF16),
    "aggressive, eager": trained_so(*AGGRESSIVE),
    "aggressive, graphed": trained_so(*AGGRESSIVE, GRAPHED),
    "aggressive, compiled, graphed": trained_so(*AGGRESSIVE, COMPILED),
    "aggressive, compiled, graphed, bf16": trained_so(*AGGRESSIVE, COMPILED, BF16),
}
OTHERS = {key: CONTENDERS[key].train for key in ("plain", "plain_compiled", "dataloader", "pythae")}
CHANGED = {f"graphed, {name}": OURS["graphed"] for name in TOGGLES}
ALL = OURS | OTHERS | CHANGED

FIRST = ("compiled, graphed", "compiled, graphed, bf16", "eager", "plain", "graphed")
AGGRESSIVE_FIRST = ("aggressive, compiled, graphed", "aggressive, compiled, graphed, bf16")
REST = ("dataloader", "pythae", "plain_compiled", "graphed, 1 at once", "compiled")
AGGRESSIVE_REST = ("aggressive, graphed", "aggressive, eager")


@dataclass(frozen=True)
class Row:
    """The measurement of a contender on a workload.

    Attributes:
        work: name of the workload.
        batch_size: number of images in a minibatch.
        contender: name of the contender.
        step: median of the seconds of a step; None if it is left out.
        computing: seconds of a step that the device computes.
        memory: largest amount of the GPU's memory, in bytes; None without a GPU.
        lost: why it is left out; None if it is not.
    """

    work: str
    batch_size: int
    contender: str
    step: float | None = None
    computing: float | None = None
    memory: int | None = None
    lost: str | None = None


def plan() -> Iterator[tuple[str, int, str]]:
    """Yield workload, batch size and contender of each row, the most important first."""
    for work in ("cifar10", "celeba", "fashion_mnist"):
        yield from ((work, 32, name) for name in (*FIRST, *AGGRESSIVE_FIRST))
    for work in ("cifar10", "fashion_mnist"):
        yield from ((work, 32, name) for name in REST)
    for work in ("fashion_mnist", "cifar10", "celeba"):
        yield from ((work, 128, name) for name in (*FIRST, *REST[:2]))
    yield from (("cifar10", 32, name) for name in (*CHANGED, *AGGRESSIVE_REST))
    yield from (("celeba", 32, name) for name in REST)
    for work in ("fashion_mnist", "cifar10"):
        yield from ((work, 128, name) for name in REST[2:])


def dry_plan() -> Iterator[tuple[str, int, str]]:
    """Yield a few rows, without the compiler."""
    yield from (("fashion_mnist", 32, name) for name in ("eager", "plain"))


def main() -> None:
    """Measure the rows of the plan, and write them as they come."""
    parser = argparse.ArgumentParser("python -m benchmarks.gpu_steps", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the table")
    parser.add_argument("--dry-run", action="store_true", help="a few rows of two steps")
    parser.add_argument(
        "--compile-only", action="store_true", help="fill the compiler's cache, and measure nothing"
    )
    arguments = parser.parse_args()
    most = 1 if arguments.dry_run else MOST
    if arguments.compile_only:
        for place in (own for own in plan() if "compiled" in own[2]):
            measured(*place, most=0)
        return
    rows: list[Row] = []
    for place in dry_plan() if arguments.dry_run else plan():
        started = time.monotonic()
        rows.append(measured(*place, most=most, images=64 if arguments.dry_run else None))
        write(rows, arguments.out)
        print(f"{rows[-1]} after {time.monotonic() - started:.1f} s", flush=True)


def measured(
    work: str, batch_size: int, name: str, most: int = MOST, images: int | None = None
) -> Row:
    """Return the row of a contender, which says so if it could not be measured.

    Args:
        work: name of the workload.
        batch_size: number of images in a minibatch.
        name: name of the contender.
        most: number of measured turns, at most.
        images: number of images in a turn; None for the usual one.
    """
    row = Row(work, batch_size, name)
    size = images or IMAGES[work] // (SHARE if "aggressive" in name else 1)
    turns = TurnsHere(size, most)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, prepared(name):
            # One turn for the warm-up, one for the profile, and one that is begun and not made.
            job = Job(name, work, batch_size, size, (most + 3) * size, folder)
            with suppress(FinishedError):
                ALL[name](job, turns)
            return row_of(row, turns)
    except SIGTERMException:
        raise  # the time is over
    except (Exception, SystemExit) as error:  # whatever it is, the others are measured
        return replace(row, lost=f"{type(error).__name__}: {first_line(error)}")


def row_of(row: Row, turns: TurnsHere) -> Row:
    """Return a row with what its turns have measured."""
    if not turns.seconds or turns.computing is None:
        return row
    steps = turns.images / row.batch_size
    return replace(
        row,
        step=statistics.median(turns.seconds) / steps,
        computing=turns.computing / steps,
        memory=torch.cuda.max_memory_reserved() if torch.cuda.is_available() else None,
    )


@contextmanager
def prepared(name: str) -> Iterator[None]:
    """Set this process up for a contender, without what is left of the one before."""
    torch.compiler.reset()
    process.free_device_memory()
    process.allow_rounded_products(True)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    changed = TOGGLES.get(name.removeprefix("graphed, "), nullcontext)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), changed():
        yield
    synchronize()


def write(rows: list[Row], folder: Path) -> None:
    """Write the rows as steps.json, and as a table steps.md."""
    content = json.dumps([asdict(row) for row in rows], indent=1)
    write_atomically(folder / ROWS_FILE, content + "\n")
    write_atomically(folder / "steps.md", as_markdown(table(rows)) + "\n")


def read(folder: Path) -> list[Row]:
    """Return the rows that were written; none if there are none."""
    path = folder / ROWS_FILE
    return [Row(**own) for own in json.loads(path.read_text())] if path.exists() else []


def table(rows: list[Row]) -> Table:
    """Return the table of all rows."""
    columns = ("", "ms/step", "kernels, ms/step", "ratio", "images/s", "/ plain", "GPU memory, MB")
    plain = {(row.work, row.batch_size): row.step for row in rows if row.contender == "plain"}
    cells = [cells_of(row, plain.get((row.work, row.batch_size))) for row in rows]
    notes = [f"{label(row)} is left out: {row.lost}" for row in rows if row.lost]
    return Table("Training steps", columns, cells, "\n\n".join(notes))


def label(row: Row) -> str:
    """Return a row's name in words."""
    return f"{row.work}, batch {row.batch_size}, {row.contender}"


def cells_of(row: Row, plain: float | None) -> tuple[str, ...]:
    """Return the cells of a row, beside the seconds of the plain loop's step."""
    if row.step is None or row.computing is None:
        return (label(row), *["-"] * 6)
    return (
        label(row),
        f"{1e3 * row.step:.3f}",
        f"{1e3 * row.computing:.3f}",
        f"{row.step / row.computing:.2f}" if row.computing else "-",
        f"{row.batch_size / row.step:,.0f}",
        f"{plain / row.step:.2f}" if plain else "-",
        f"{row.memory / 1e6:,.0f}" if row.memory else "-",
    )


if __name__ == "__main__":
    main()

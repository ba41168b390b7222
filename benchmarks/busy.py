"""Measure training on a busy machine, by how OpenMP's threads wait for work.

Usage: python -m benchmarks.busy

Our own training runs on noise of FashionMNIST's size, alone and beside a second one of its kind.
All kinds exist from the start and take turns, so that a change of the machine's speed affects all
of them. It takes about three minutes on two cores.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.report import Table, median_and_range, parser, publish, ratios
from benchmarks.rounds import Child, Job
from reslag_vae._runtime.process import BRIEF, WAITING

WORK = "fashion_mnist"
IMAGES = 1_024  # images in a turn
CORES = {"OMP_NUM_THREADS": str(os.cpu_count())}
DEFAULT = "OpenMP's default"
KINDS: dict[str, dict[str, str]] = {
    DEFAULT: CORES,  # ours, where the cores are free
    "GOMP_SPINCOUNT=3000": CORES | BRIEF,  # ours beside others
    "GOMP_SPINCOUNT=1000": CORES | {"GOMP_SPINCOUNT": "1000"},
    "OMP_WAIT_POLICY=PASSIVE": CORES | {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
ALONE, TWO = "alone", "two at once"

Speeds = dict[str, dict[str, list[float]]]


def main() -> None:
    """Measure, and write the tables."""
    command = parser(__doc__, "busy", repetitions=5)
    command.add_argument(
        "--batch-sizes", nargs="+", type=int, default=[32, 128], help="(default: 32 128)"
    )
    arguments = command.parse_args()
    for name in WAITING:
        os.environ.pop(name, None)
    results = {str(size): measure(size, arguments) for size in arguments.batch_sizes}
    publish(
        arguments, "busy", [as_table(size, speeds) for size, speeds in results.items()], results
    )


def measure(batch_size: int, arguments: argparse.Namespace) -> Speeds:
    """Return the images/s of each kind in each repetition, alone and of two at once together."""
    speeds: Speeds = {kind: {ALONE: [], TWO: []} for kind in KINDS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        pairs = {
            kind: start_pair(kind, batch_size, folder, arguments.repetitions, stack)
            for kind in KINDS
        }
        for repetition in range(arguments.repetitions):
            for kind, pair in pairs.items():
                speeds[kind][ALONE].append(combined_speed(pair[:1]))
                speeds[kind][TWO].append(combined_speed(pair))
            newest = [
                f"{kind}: {own[ALONE][-1]:.0f}, {own[TWO][-1]:.0f}" for kind, own in speeds.items()
            ]
            done = f"batch {batch_size}, {repetition + 1}/{arguments.repetitions}"
            print(f"{done}, images/s of {', '.join(newest)}", flush=True)
    return speeds


def start_pair(
    kind: str, batch_size: int, root: Path, repetitions: int, stack: ExitStack
) -> list[Child]:
    """Return two processes of a kind that have had their warm-up, one after the other."""
    pair = []
    for number in range(2):
        folder = root / f"{kind} {number}"
        folder.mkdir()
        count = (2 * repetitions + 2) * IMAGES
        child = Child(Job("ours", WORK, batch_size, IMAGES, count, str(folder)), KINDS[kind])
        stack.callback(child.close)
        child.ready()
        pair.append(child)
    return pair


def combined_speed(children: Sequence[Child]) -> float:
    """Return the summed images/s of one simultaneous turn of each child."""
    for child in children:
        child.go()
    turns = [child.result() for child in children]
    return sum(float(turn["images"] / turn["seconds"]) for turn in turns)


def as_table(batch_size: str, speeds: Speeds) -> Table:
    """Return a table with one row for each kind."""
    rows = []
    for kind, own in speeds.items():
        cells = []
        for place in (ALONE, TWO):
            cells += [
                median_and_range(own[place]),
                median_and_range(ratios(own[place], speeds[DEFAULT][place]), 2),
            ]
        rows.append((kind, *cells))
    columns = (
        "",
        "alone, images/s",
        "times the default",
        "two at once, images/s together",
        "times the default",
    )
    note = "Medians and ranges; ratios repetition by repetition."
    return Table(f"How threads wait: fashion_mnist, joint, batch {batch_size}", columns, rows, note)


if __name__ == "__main__":
    main()

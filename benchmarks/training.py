"""Measure training speed beside what people would write instead, and aggressive steps.

All contenders do the same work, on noise of each data set's size, and alternate in processes of
their own, so that a change of the machine's speed affects all of them. Only training is timed:
neither validation nor pictures, checkpoints or compilation.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks import report, tables
from benchmarks.contenders import BEFORE, CONTENDERS
from benchmarks.rounds import ROOT, Child, Job, LostError
from benchmarks.workloads import WORKLOADS
from reslag_vae.runs import provenance

# Images of a turn, which takes 1 to 3 seconds on two cores of a server, and the least number of
# images in memory: those of the data set, or a twentieth of CelebA.
IMAGES = {"fashion_mnist": (4_096, 60_000), "cifar10": (1_536, 50_000), "celeba": (256, 10_000)}
FASTER = 20  # times as many images in a turn on a GPU
SHARE = 4  # times as few images in a turn of an aggressive contender
LEAST_BATCHES = 2  # in a turn


@dataclass
class Entry:
    """The measurements of a contender.

    Attributes:
        images: number of images in a turn.
        turns: seconds, images and bytes of memory of each turn.
        device_memory: largest amount of the accelerator's memory in bytes; None without an
            accelerator.
        lost: why the contender is left out; None if it is not.
    """

    images: int
    turns: list[dict[str, Any]] = field(default_factory=list)
    device_memory: int | None = None
    lost: str | None = None


def main() -> None:
    """Measure, and write tables, numbers and a plot."""
    parser = report.parser(__doc__, "training", repetitions=7)
    parser.add_argument(
        "--works", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), help="(default: all)"
    )
    parser.add_argument(
        "--batch-sizes", nargs="+", type=int, default=[32, 128], help="(default: 32 128)"
    )
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=CONTENDERS,
        metavar="CONTENDER",
        help=f"of {', '.join(CONTENDERS)} (default: all)",
    )
    parser.add_argument(
        "--before", type=Path, help=f"a checkout of another commit, for the contender {BEFORE}"
    )
    arguments = parser.parse_args()
    if arguments.contenders is None:
        arguments.contenders = [key for key in CONTENDERS if key != BEFORE or arguments.before]
    if BEFORE in arguments.contenders and arguments.before is None:
        parser.error(f"the contender {BEFORE} needs --before")

    names = ("lightning", "pythae")
    packages = {name: provenance.version_of(name) or "not installed" for name in names}
    if arguments.before is not None:
        packages[CONTENDERS[BEFORE].name] = f"at {provenance.commit(arguments.before)}"
    results: list[dict[str, Any]] = []
    try:
        for work in arguments.works:
            for batch_size in arguments.batch_sizes:
                entries = measure(work, batch_size, arguments)
                contenders = {key: vars(entry) for key, entry in entries.items()}
                result = {"work": work, "batch_size": batch_size, "packages": packages}
                results.append(result | {"contenders": contenders})
    finally:
        # An interrupted measurement leaves what it has.
        if results:
            tables.write(results, arguments)


def measure(work: str, batch_size: int, arguments: argparse.Namespace) -> dict[str, Entry]:
    """Return the turns of all contenders on a workload.

    A contender that dies is left out from then on.
    """
    entries = {key: Entry(images_of(work, batch_size, key)) for key in arguments.contenders}
    children: dict[str, Child] = {}

    def leave_out(key: str, error: LostError) -> None:
        entries[key].lost = str(error)
        children.pop(key, None)
        print(
            f"{work}, batch {batch_size}, {CONTENDERS[key].name} is left out:\n{error}",
            file=sys.stderr,
            flush=True,
        )

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        for key, entry in entries.items():
            (folder / key).mkdir()
            count = max((arguments.repetitions + 2) * entry.images, IMAGES[work][1])
            name, checkout = ("ours", arguments.before) if key == BEFORE else (key, ROOT)
            job = Job(name, work, batch_size, entry.images, count, str(folder / key))
            child = Child(job, checkout=checkout)
            stack.callback(child.close)
            children[key] = child
            try:
                child.ready()
                print(f"{work}, batch {batch_size}, {CONTENDERS[key].name}: ready", flush=True)
            except LostError as error:
                leave_out(key, error)
        for repetition in range(arguments.repetitions):
            for key in rotated(list(children), repetition):
                try:
                    turn = children[key].turn()
                except LostError as error:
                    leave_out(key, error)
                    continue
                entries[key].turns.append(turn)
                speed = f"{CONTENDERS[key].name}: {turn['images'] / turn['seconds']:.0f} images/s"
                print(
                    f"{work}, batch {batch_size}, {repetition + 1}/{arguments.repetitions} {speed}",
                    flush=True,
                )
        for key, child in list(children.items()):
            try:
                entries[key].device_memory = child.end()["device_memory"]
            except LostError as error:
                leave_out(key, error)
    return entries


def images_of(work: str, batch_size: int, contender: str) -> int:
    """Return the number of images in a contender's turn, which is whole batches."""
    images = IMAGES[work][0] * (FASTER if torch.cuda.is_available() else 1)
    if CONTENDERS[contender].joint:
        images //= SHARE
    return max(LEAST_BATCHES, images // batch_size) * batch_size


def rotated(keys: list[str], by: int) -> list[str]:
    """Return keys rotated by a number.

    Each repetition thus begins with another contender, and none always follows the same one's heat.
    """
    by %= max(1, len(keys))
    return keys[by:] + keys[:by]


if __name__ == "__main__":
    main()

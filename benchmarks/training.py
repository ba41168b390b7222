"""Training speed beside what people would write instead, and the cost of an aggressive step.

All contenders do the same work, on noise of each data set's size, and alternate in processes of
their own, so that a change of the machine's speed meets all of them. Only training is timed:
neither validation nor pictures, checkpoints or compilation.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from benchmarks import report, tables
from benchmarks.contenders import CONTENDERS
from benchmarks.rounds import Child, Job, LostError
from benchmarks.workloads import WORKS

# Images of a turn, which takes 1 to 3 seconds on two cores of a server, and at least how many are
# in memory: as many as there are, or of CelebA a twentieth.
IMAGES = {"fashion_mnist": (4_096, 60_000), "cifar10": (1_536, 50_000), "celeba": (256, 10_000)}
FASTER = 20  # a GPU
SHARE = 4  # an aggressive contender's turn has one image of so many
LEAST_BATCHES = 2  # in a turn


@dataclass
class Entry:
    """What is known of a contender.

    Attributes:
        images: in a turn.
        turns: seconds, images and bytes of memory of each.
        device_memory: the accelerator's, in bytes; None without one.
        lost: why it is left out; None if it is not.
    """

    images: int
    turns: list[dict[str, Any]] = field(default_factory=list)
    device_memory: int | None = None
    lost: str | None = None


def main() -> None:
    """Measure, and write tables, numbers and a plot."""
    parser = report.parser(__doc__, "training", repetitions=7)
    parser.add_argument(
        "--works", nargs="+", choices=WORKS, default=list(WORKS), help="(default: all)"
    )
    parser.add_argument(
        "--batch-sizes", nargs="+", type=int, default=[32, 128], help="(default: 32 128)"
    )
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=CONTENDERS,
        default=list(CONTENDERS),
        metavar="CONTENDER",
        help=f"of {', '.join(CONTENDERS)} (default: all)",
    )
    arguments = parser.parse_args()

    packages = {name: version_of(name) for name in ("lightning", "pythae")}
    results: list[dict[str, Any]] = []
    try:
        for work in arguments.works:
            for batch_size in arguments.batch_sizes:
                entries = measured(work, batch_size, arguments)
                contenders = {key: vars(entry) for key, entry in entries.items()}
                results.append(
                    {
                        "work": work,
                        "batch_size": batch_size,
                        "packages": packages,
                        "contenders": contenders,
                    }
                )
    finally:
        # Also what there is of a run that was interrupted.
        if results:
            tables.write(results, arguments)


def version_of(package: str) -> str:
    """As installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def measured(work: str, batch_size: int, arguments: argparse.Namespace) -> dict[str, Entry]:
    """All contenders' turns on one work. Who dies is left out from then on."""
    entries = {key: Entry(images_of(work, batch_size, key)) for key in arguments.contenders}
    children: dict[str, Child] = {}

    def lose(key: str, error: LostError) -> None:
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
            child = Child(Job(key, work, batch_size, entry.images, count, str(folder / key)))
            stack.callback(child.close)
            children[key] = child
            try:
                child.ready()
                print(f"{work}, batch {batch_size}, {CONTENDERS[key].name}: ready", flush=True)
            except LostError as error:
                lose(key, error)
        for repetition in range(arguments.repetitions):
            for key in rotated(list(children), repetition):
                try:
                    turn = children[key].turn()
                except LostError as error:
                    lose(key, error)
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
                lose(key, error)
    return entries


def images_of(work: str, batch_size: int, contender: str) -> int:
    """In a turn: whole batches."""
    images = IMAGES[work][0] * (FASTER if torch.cuda.is_available() else 1)
    if CONTENDERS[contender].joint:
        images //= SHARE
    return max(LEAST_BATCHES, images // batch_size) * batch_size


def rotated(keys: list[str], by: int) -> list[str]:
    """Each repetition begins with another contender, so that nobody always follows the same one's heat."""
    by %= max(1, len(keys))
    return keys[by:] + keys[:by]


if __name__ == "__main__":
    main()

"""Measure how many images a second a loader delivers, ours beside torchvision's.

Usage: python -m benchmarks.data

torchvision's is its data set with ToTensor in a DataLoader of two worker processes. Ours is the
data module's loader, with the conversion to float32 in [0, 1] that the training step makes, and
without it. All three alternate within one run.
"""

import argparse
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from benchmarks.files import WRITERS, torchvision_dataset
from benchmarks.report import Table, median_and_range, parser, publish, ratios
from benchmarks.workloads import WORKLOADS, RandomImages
from reslag_vae._runtime import process
from reslag_vae.data import CelebA, ImageDataModule
from reslag_vae.likelihoods.pixels import unit_interval

BATCH_SIZE = 128
# FashionMNIST's and CIFAR10's own sizes, and as many of CelebA's pictures as torchvision decodes in
# a few seconds.
COUNTS = {"fashion_mnist": 60_000, "cifar10": 50_000, "celeba": 1_024}
TORCHVISION, CONVERTED, OURS = "torchvision, 2 workers", "ours, converted", "ours, as uint8"
DECODING = "pictures/s of the first decoding"

Speeds = dict[str, list[float]]


def main() -> None:
    """Measure, and write the tables."""
    command = parser(__doc__, "data", repetitions=7)
    command.add_argument("--works", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    command.add_argument(
        "--most", type=int, default=60_000, help="at most so many images (default: %(default)s)"
    )
    command.add_argument(
        "--seconds",
        type=float,
        default=2.0,
        help="of a repetition, at least (default: %(default)s)",
    )
    arguments = command.parse_args()
    process.tune()
    # Hides the warning that made-up pictures have no official splits.
    logging.getLogger("reslag_vae").setLevel(logging.ERROR)
    results = {
        name: measure(name, min(COUNTS[name], arguments.most), arguments)
        for name in arguments.works
    }
    publish(arguments, "data", list(tables(results)), results)


def measure(name: str, count: int, arguments: argparse.Namespace) -> Speeds:
    """Return the images/s of each loader in each repetition.

    For CelebA the result includes the pictures/s of the decoding before the first epoch.
    """
    speeds: Speeds = {TORCHVISION: [], CONVERTED: [], OURS: []}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        WRITERS[name](root, count)
        data: ImageDataModule
        if name == "celeba":
            speeds[DECODING] = [
                count / decoding_seconds(root) for _ in range(arguments.repetitions)
            ]
            data = CelebA(root, BATCH_SIZE, val_fraction=0.1, seed=0)
        else:
            data = RandomImages(folder, BATCH_SIZE, 0.1, 0, WORKLOADS[name].shape, count)
        data.setup()
        ours = data.train_dataloader()
        theirs: DataLoader[Any] = DataLoader(
            torchvision_dataset(name, root),
            BATCH_SIZE,
            shuffle=True,
            num_workers=2,
            persistent_workers=True,
        )
        contenders = {TORCHVISION: (theirs, False), CONVERTED: (ours, True), OURS: (ours, False)}
        for loader, convert in contenders.values():
            speed(loader, convert, 0)  # starts the workers, and brings the files into memory
        for repetition in range(arguments.repetitions):
            for contender, (loader, convert) in contenders.items():
                speeds[contender].append(speed(loader, convert, arguments.seconds))
            newest = ", ".join(
                f"{contender}: {speeds[contender][-1]:,.0f}" for contender in contenders
            )
            print(
                f"{name} {repetition + 1}/{arguments.repetitions}, images/s of {newest}", flush=True
            )
    return speeds


def decoding_seconds(root: Path) -> float:
    """Return the seconds from the pictures below `root` to a new decoded cache."""
    shutil.rmtree(root / ".cache", ignore_errors=True)
    started = time.perf_counter()
    CelebA(root, BATCH_SIZE, val_fraction=0.1, seed=0).setup()
    return time.perf_counter() - started


def speed(loader: DataLoader[Any], convert: bool, seconds: float) -> float:
    """Return the images/s of whole passes over the data, as many as fill the time."""
    images, started = 0, time.perf_counter()
    while not images or time.perf_counter() - started < seconds:
        for batch in loader:
            pixels = unit_interval(batch[0]) if convert else batch[0]
            images += len(pixels)
    return images / (time.perf_counter() - started)


def tables(results: dict[str, Speeds]) -> Iterator[Table]:
    """Yield the table of loaders, and that of decoding if it was measured."""
    rows = []
    for name, speeds in results.items():
        for contender in (TORCHVISION, CONVERTED, OURS):
            times = ratios(speeds[contender], speeds[TORCHVISION])
            rows.append(
                (
                    f"{name}, {contender}",
                    median_and_range(speeds[contender]),
                    median_and_range(times, 1),
                )
            )
    columns = ("", "images/s", "times torchvision")
    note = (
        "Medians and ranges; ratios repetition by repetition. torchvision's workers have the cores "
        "to themselves here."
    )
    yield Table("Data alone, batch 128", columns, rows, note)
    if "celeba" in results:
        row = ("celeba, 178x218 JPEG to 3x64x64", median_and_range(results["celeba"][DECODING]))
        yield Table("Decoding, once for each data set", ("", "pictures/s"), [row])


if __name__ == "__main__":
    main()

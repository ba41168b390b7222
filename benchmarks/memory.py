"""Measure the memory of training on all of CelebA, 202,599 pictures, beside 2,000.

Usage: python -m benchmarks.memory

The decoded pictures, 2.49 GB, are in a file that is mapped into memory like the cache of the data
sets. Its pages belong to the system, which takes them back when it needs to (RssFile); what the
process itself holds (RssAnon) must not grow with the data. A tiny network trains for the same steps
and epochs, in a new process for each size. Linux only.
"""

import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from benchmarks.report import Table, parser, publish
from benchmarks.workloads import WORKLOADS, RandomImages, compose_config
from reslag_vae._runtime import process
from reslag_vae._runtime.process import quiet
from reslag_vae.data.images import Images, Source
from reslag_vae.training.build import build
from reslag_vae.training.callbacks import callbacks_of

CELEBA, FEW = 202_599, 2_000
BATCH_SIZE = 128
EPOCH = 12  # batches; also the few pictures have so many
WHEN = ("libraries imported", "model and data built", "first epoch", "last epoch")

Memory = dict[str, float]


class MappedImages(RandomImages):
    """The pictures of the file `images.npy` in `root`, opened like `reslag_vae.data.cache`."""

    name = "mapped"

    def read(self) -> Source:
        """Return the pictures of the file, as the training split."""
        pixels = torch.from_numpy(np.load(self.root / "images.npy", mmap_mode="c"))
        store = pixels.permute(0, 3, 1, 2)
        return Source(Images(store, torch.full((len(store),), -1)), None, None, [])


class Readings(Callback):
    """A callback that reads the memory at the end of every epoch."""

    def __init__(self) -> None:
        self.taken: list[Memory] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the memory."""
        self.taken.append(memory())


def main() -> None:
    """Measure, and write the tables."""
    command = parser(__doc__, "memory")
    command.add_argument(
        "--folder", type=Path, help="for 2.49 GB of temporary files (default: the system's)"
    )
    command.add_argument(
        "--epochs",
        type=int,
        default=25,
        help=f"of {EPOCH} batches of {BATCH_SIZE} (default: %(default)s)",
    )
    command.add_argument(
        "--pictures", type=int, default=CELEBA, help="the larger number (default: %(default)s)"
    )
    arguments = command.parse_args()
    sizes = [FEW, arguments.pictures]
    results: dict[str, list[Memory]] = {}
    for size in sizes:
        with (
            tempfile.TemporaryDirectory(dir=arguments.folder) as folder,
            ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process_of_its_own,
        ):
            write_pictures(Path(folder, "images.npy"), size)
            results[str(size)] = process_of_its_own.submit(
                memory_of_training, folder, size, arguments.epochs
            ).result()
        print(
            f"{size:,} pictures: {results[str(size)][-1]['RssAnon']:,.1f} MB of its own", flush=True
        )
    publish(arguments, "memory", tables(results), results)


def write_pictures(path: Path, count: int) -> None:
    """Write (count, 64, 64, 3) uint8 pictures, a repeated block of noise."""
    channels, height, width = WORKLOADS["celeba"].shape
    shape = (height, width, channels)
    block = np.random.default_rng(0).integers(256, size=(1_000, *shape), dtype=np.uint8)
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, *shape))
    for start in range(0, count, len(block)):
        images[start : start + len(block)] = block[: count - start]


def memory_of_training(folder: str, count: int, epochs: int) -> list[Memory]:
    """Return the memory after importing, after building, and after each epoch."""
    quiet()
    process.tune()
    network = ("recipe.channels=[8,8]", "recipe.blocks=[1,1]", "recipe.latent_dim=8")
    limits = (
        f"trainer.max_epochs={epochs}",
        f"+trainer.limit_train_batches={EPOCH}",
        "+trainer.limit_val_batches=1",
    )
    config = compose_config(
        WORKLOADS["celeba"], BATCH_SIZE, count, (*network, *limits, "callbacks.images=null")
    )
    config.data.update({"_target_": "benchmarks.memory.MappedImages", "root": folder})
    imported = memory()
    readings = Readings()
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        data, model, trainer = build(config, Path(folder))
        callbacks_of(trainer).append(readings)
        built = memory()
        trainer.fit(model, data)
    return [imported, built, *readings.taken]


def memory() -> Memory:
    """Return the MB that this process owns (RssAnon), and those of mapped files (RssFile)."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {
        words[0].rstrip(":"): int(words[1]) / 1024
        for words in lines
        if words[0] in ("RssAnon:", "RssFile:")
    }


def tables(results: dict[str, list[Memory]]) -> list[Table]:
    """Return the table of both kinds of memory through the run."""
    few, many = results.values()
    sizes = [f"{int(size):,} pictures" for size in results]
    rows = []
    for kind, meaning in (("RssAnon", "own"), ("RssFile", "files")):
        for when, index in zip(WHEN, (0, 1, 2, -1), strict=True):
            one, other = few[index][kind], many[index][kind]
            rows.append(
                (f"{meaning}, {when}", f"{one:,.1f}", f"{other:,.1f}", f"{other - one:+,.1f}")
            )
    note = (
        "Own: RssAnon. Files: RssFile, the libraries and the pages of the pictures. Rows and "
        f"labels of {sizes[1]} are {int(list(results)[1]) * 8 * 3 / 1e6:.1f} MB: a number of 8 "
        "bytes each for label, row and place in the order."
    )
    title = f"Memory of a training process, MB, batch {BATCH_SIZE}"
    return [Table(title, ("", *sizes, "difference"), rows, note)]


if __name__ == "__main__":
    main()

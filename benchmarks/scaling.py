"""Measure how the cost of a training step grows.

Usage: python -m benchmarks.scaling

The cost grows with the batch, the image, the updates of an aggressive step and the training split;
the speed of an evaluation is measured too. Everything is trained as train.py does it, through the
Trainer, and timed by the run's own `images_per_second`.
"""

import csv
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.report import Table, median_and_range, parser, publish, ratios, synchronize
from benchmarks.scaling_plot import Series, per_step, plot
from benchmarks.workloads import WORKLOADS, Workload, compose_config
from reslag_vae._runtime import process
from reslag_vae._runtime.process import quiet
from reslag_vae.data.sampling import shuffled
from reslag_vae.evaluation.epoch import evaluate
from reslag_vae.evaluation.pictures.figures import save_figure
from reslag_vae.runs.build import build_parts
from reslag_vae.runs.data import build_data
from reslag_vae.runs.folder import METRICS_CSV
from reslag_vae.training.build import build

BATCH_SIZE = 128
BATCH_SIZES = (8, 16, 32, 64, 128, 256, 512)
SIZES = (16, 32, 64, 128)
RATIOS = (0, 1, 2, 3, 4, 5, 6, 7, 8)  # 0: a joint step
COUNTS = (1_000, 10_000, 100_000, 1_000_000)
SHORT_EPOCH = 7  # batches; also the smallest training split has so many
EVALUATION_POINTS = [f"{name} {batch_size}" for name in WORKLOADS for batch_size in (32, 128, 512)]


def main() -> None:
    """Measure, plot, and write the tables."""
    command = parser(__doc__, "scaling", repetitions=3)
    command.add_argument(
        "--images", type=int, default=6_400, help="of 28x28 in an epoch (default: %(default)s)"
    )
    command.add_argument(
        "--largest", type=int, default=COUNTS[-1], help="training split (default: %(default)s)"
    )
    arguments = command.parse_args()
    quiet()
    process.tune()
    images: int = arguments.images
    counts = [count for count in COUNTS if count <= arguments.largest]
    sweeps: dict[str, tuple[Iterable[int | str], Callable[[int | str], float]]] = {
        "batch size": (BATCH_SIZES, lambda size: speed_at_batch_size(int(size), images)),
        "image size": (SIZES, lambda size: speed_at_image_size(int(size), images)),
        "encoder updates": (RATIOS, lambda ratio: speed_at_ratio(int(ratio), images)),
        "training images": (counts, lambda count: speed_at_count(int(count))),
        "shuffle": (counts, lambda count: shuffle_seconds(int(count))),
        "evaluation": (EVALUATION_POINTS, lambda point: evaluation_speed(str(point), images)),
    }
    results: dict[str, Series] = {}
    for name, (points, measure) in sweeps.items():
        results[name] = {str(point): [] for point in points}
        # Every point once in each repetition, so that a change of the machine's speed affects all
        # of them.
        for repetition in range(arguments.repetitions):
            for point in points:
                value = measure(point)
                results[name][str(point)].append(value)
                print(
                    f"{name} {point}, {repetition + 1}/{arguments.repetitions}: {value:,.4g}",
                    flush=True,
                )
    publish(arguments, "scaling", tables(results), results)
    save_figure(plot(results), arguments.out / "scaling.png")


def speed_at_batch_size(batch_size: int, images: int) -> float:
    """Return the images/s of joint steps on 28x28 images at a batch size."""
    return training_speed(
        WORKLOADS["fashion_mnist"], batch_size, steps=max(4, images // batch_size)
    )


def speed_at_image_size(size: int, images: int) -> float:
    """Return the joint images/s of CelebA's network and settings on 3 x size x size, batch 32."""
    steps = max(4, images * SIZES[0] ** 2 // (32 * size**2))
    return training_speed(replace(WORKLOADS["celeba"], shape=(3, size, size)), 32, steps)


def speed_at_ratio(ratio: int, images: int) -> float:
    """Return the images/s of a step on 28x28 images with so many encoder updates.

    A ratio of 0 is a joint step.
    """
    steps = max(8, images // (BATCH_SIZE * max(1, ratio)))
    options = (f"schedule.ratio={ratio}", "schedule.epochs=2") if ratio else ()
    return training_speed(WORKLOADS["fashion_mnist"], BATCH_SIZE, steps, options)


def speed_at_count(count: int) -> float:
    """Return the joint images/s on 28x28 images with so many training images.

    Epochs have only a few batches, and each epoch shuffles the whole split.
    """
    options = (f"+trainer.limit_train_batches={SHORT_EPOCH}",)
    return training_speed(
        WORKLOADS["fashion_mnist"], BATCH_SIZE, SHORT_EPOCH, options, count, epochs=7
    )


def shuffle_seconds(count: int) -> float:
    """Return the seconds that it takes to draw the order of an epoch."""
    started = time.perf_counter()
    shuffled(count, seed=0, epoch=0, passing=0)
    return time.perf_counter() - started


def training_speed(
    work: Workload,
    batch_size: int,
    steps: int,
    options: tuple[str, ...] = (),
    count: int | None = None,
    epochs: int = 2,
) -> float:
    """Return the median images/s of the epochs after the first, which warms up.

    Args:
        work: the variant and its images.
        batch_size: number of images in a step.
        steps: number of steps in an epoch.
        options: options of train.py.
        count: number of training images; None for as many as the steps need.
        epochs: number of epochs of the run.
    """
    options = (f"trainer.max_epochs={epochs}", "callbacks.images=null", *options)
    config = compose_config(work, batch_size, count or steps * batch_size, options)
    # The progress bar is drawn, as it would be, but not shown between the figures.
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
    ):
        data, model, trainer = build(config, Path(folder))
        trainer.fit(model, data)
        with Path(folder, METRICS_CSV).open() as file:
            speeds = [float(row["images_per_second"]) for row in csv.DictReader(file)]
    return statistics.median(speeds[1:])


def evaluation_speed(point: str, images: int) -> float:
    """Return the images/s of a run's evaluation, for a workload and a batch size."""
    name, batch_size = point.split()
    work = WORKLOADS[name]
    pixels = work.shape[0] * work.shape[1] * work.shape[2]
    count = max(1_024, images * 28**2 // pixels)
    config = compose_config(work, int(batch_size), count)
    parts = build_parts(config.model)
    parts.to("cuda" if torch.cuda.is_available() else "cpu")
    model, objective = parts.model, parts.objective
    assert objective is not None, "a run has one"
    data = build_data(config, model)
    data.setup()
    # The made-up test split has only two batches, so the training split is read in the same way.
    batches = data.in_order("train")
    evaluate(model, objective, [next(iter(batches))])
    synchronize()
    started = time.perf_counter()
    evaluate(model, objective, batches)
    return count / (time.perf_counter() - started)


def tables(results: dict[str, Series]) -> list[Table]:
    """Return a table for each sweep, with the cost in the unit that shows its growth."""
    batch, size, ratio = results["batch size"], results["image size"], results["encoder updates"]
    steps = per_step(results)
    return [
        Table(
            "Batch size: fashion_mnist, joint",
            ("batch size", "images/s", "ms per step"),
            [
                (
                    key,
                    median_and_range(speeds),
                    median_and_range([1e3 * int(key) / speed for speed in speeds], 1),
                )
                for key, speeds in batch.items()
            ],
        ),
        Table(
            "Image size: celeba's network and settings, joint, batch 32",
            ("3 x n x n", "images/s", "ms per image", "cost of a pixel / that at 64"),
            [
                (
                    key,
                    median_and_range(speeds, 1),
                    median_and_range([1e3 / speed for speed in speeds], 2),
                    median_and_range(
                        [cost * (64 / int(key)) ** 2 for cost in ratios(size["64"], speeds)], 2
                    ),
                )
                for key, speeds in size.items()
            ],
        ),
        Table(
            f"Encoder updates of an aggressive step: fashion_mnist, batch {BATCH_SIZE}",
            ("n", "images/s", "cost in joint steps"),
            [
                (key, median_and_range(speeds), median_and_range(ratios(ratio["0"], speeds), 2))
                for key, speeds in ratio.items()
            ],
            "n = 0: the joint step. An aggressive step is n encoder updates and one decoder "
            "update.",
        ),
        Table(
            f"Training images: fashion_mnist, joint, batch {BATCH_SIZE}",
            ("training images", "ms per step, without the shuffle", "ms to shuffle, once an epoch"),
            [
                (
                    f"{int(key):,}",
                    median_and_range(steps[key], 1),
                    median_and_range([1e3 * seconds for seconds in shuffles], 2),
                )
                for key, shuffles in results["shuffle"].items()
            ],
        ),
        Table(
            "Evaluation",
            ("work and batch size", "images/s"),
            [(key, median_and_range(speeds)) for key, speeds in results["evaluation"].items()],
        ),
    ]


if __name__ == "__main__":
    main()

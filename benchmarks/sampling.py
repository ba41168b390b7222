"""Measure the sampling of a PixelCNN, incremental and naive, as images grow.

Usage: python -m benchmarks.sampling

The network is that of likelihood=pixelcnn, of random weights, and the images are binary. The naive
loop passes the whole image through the network for each pixel; it is timed over the first pixels
and counted up, since a whole image takes minutes. One pass is the network's log-probability of
given images. All three take turns. It takes about ten minutes on two cores.
"""

import argparse
import time
from collections.abc import Callable

import torch

from benchmarks.report import Table, median_and_range, parser, publish, ratios
from reslag_vae.likelihoods import PixelCNN

PASS, INCREMENTAL, NAIVE = "one pass", "incremental", "naive"
# Pixels for which the naive loop is timed.
TIMED = 6

Seconds = dict[str, list[float]]


def main() -> None:
    """Measure, and write the table."""
    command = parser(__doc__, "sampling", repetitions=5)
    command.add_argument("--batch-size", type=int, default=64, help="(default: 64)")
    command.add_argument(
        "--sides", nargs="+", type=int, default=[14, 28, 56], help="(default: 14 28 56)"
    )
    arguments = command.parse_args()
    results = {str(side): measure(side, arguments) for side in arguments.sides}
    publish(arguments, "sampling", [as_table(results, arguments.batch_size)], results)


@torch.no_grad()
def measure(side: int, arguments: argparse.Namespace) -> Seconds:
    """Return the seconds of each way to sample images of a side, in each repetition."""
    torch.manual_seed(0)
    likelihood = PixelCNN((1, side, side)).eval()
    count = arguments.batch_size
    parameters = torch.randn(count, likelihood.parameters_per_channel, side, side)
    images = torch.rand(count, 1, side, side).round()
    ways: dict[str, Callable[[], float]] = {
        PASS: lambda: seconds(lambda: likelihood.log_prob(images, parameters)),
        INCREMENTAL: lambda: seconds(lambda: likelihood.sample(parameters)),
        NAIVE: lambda: (
            seconds(lambda: naive_pixels(likelihood, images, parameters)) * side * side / TIMED
        ),
    }
    for way in ways.values():
        way()
    found: Seconds = {name: [] for name in ways}
    for repetition in range(arguments.repetitions):
        for name, way in ways.items():
            found[name].append(way())
        newest = ", ".join(f"{name} {own[-1]:.3g} s" for name, own in found.items())
        done = f"{repetition + 1}/{arguments.repetitions}"
        print(f"{side} x {side}, {done}: {newest}", flush=True)
    return found


def naive_pixels(likelihood: PixelCNN, images: torch.Tensor, parameters: torch.Tensor) -> None:
    """Draw some pixels, each by a pass of the whole network."""
    drawn = images.clone()
    for column in range(TIMED):
        outputs = likelihood.outputs(drawn, parameters)[:, :, 0, column]
        uniforms = torch.rand(len(drawn), likelihood.mass.uniforms)
        drawn[:, :, 0, column] = likelihood.mass.draw(outputs, uniforms)


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def as_table(results: dict[str, Seconds], batch_size: int) -> Table:
    """Return a table with one row for each size of the images."""
    rows = []
    for side, own in results.items():
        rows.append(
            (
                f"{side} x {side}",
                *(median_and_range(own[name], 3) for name in (PASS, INCREMENTAL, NAIVE)),
                median_and_range(ratios(own[INCREMENTAL], own[PASS]), 1),
                median_and_range(ratios(own[NAIVE], own[INCREMENTAL])),
            )
        )
    columns = (
        "images",
        "one pass, s",
        "incremental, s",
        "naive, s",
        "incremental / one pass",
        "naive / incremental",
    )
    note = (
        f"Batches of {batch_size}; medians and ranges; ratios repetition by repetition. Naive: "
        f"{TIMED} pixels timed, times all of them."
    )
    return Table("Sampling from a gated PixelCNN of 6 layers of 32", columns, rows, note)


if __name__ == "__main__":
    main()

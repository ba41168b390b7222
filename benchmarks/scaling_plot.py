"""The plot of `benchmarks.scaling`."""

import statistics
from typing import TYPE_CHECKING

from benchmarks.report import ratios

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The values of all repetitions, by the point at which they were measured.
Series = dict[str, list[float]]


def plot(results: dict[str, Series]) -> "Figure":
    """Draw the costs by batch size, image size, encoder updates and training images.

    Each has a panel. Bars reach from the least to the largest value.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter, NullFormatter, StrMethodFormatter

    figure = Figure(figsize=(9, 7), layout="constrained")
    (batch, size), (ratio, count) = figure.subplots(2, 2)

    _draw(batch, results["batch size"])
    batch.set(
        title="fashion_mnist, joint",
        xlabel="batch size",
        ylabel="images/s",
        xscale="log",
        yscale="log",
    )

    costs = {
        key: [1e3 / speed for speed in speeds] for key, speeds in results["image size"].items()
    }
    _draw(size, costs)
    middle = statistics.median(costs["64"])
    size.plot(
        [int(key) for key in costs],
        [middle * (int(key) / 64) ** 2 for key in costs],
        color="grey",
        linestyle="--",
        label="proportional to the pixels",
    )
    size.set(
        title="celeba's network, joint, batch 32", xlabel="height and width", ylabel="ms per image"
    )
    size.set(xscale="log", yscale="log")
    size.legend(frameon=False)

    speeds = dict(results["encoder updates"])
    joint = speeds.pop("0")
    _draw(ratio, {key: ratios(joint, values) for key, values in speeds.items()})
    ratio.set(
        title="fashion_mnist, batch 128",
        xlabel="encoder updates n",
        ylabel="aggressive step / joint step",
    )
    ratio.set_ylim(bottom=0)

    _draw(count, per_step(results))
    count.set(
        title="fashion_mnist, joint, batch 128",
        xlabel="training images",
        ylabel="ms per step",
        xscale="log",
    )
    count.set_ylim(bottom=0)

    for axis, points in ((batch, results["batch size"]), (size, costs), (ratio, speeds)):
        axis.set_xticks([int(key) for key in points], list(points))
        axis.xaxis.set_minor_formatter(NullFormatter())
    for axis in (batch, size):
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 1)))
    for axis in (batch, size, ratio, count):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.3)
    return figure


def per_step(results: dict[str, Series], batch_size: int = 128, steps: int = 7) -> Series:
    """Return the milliseconds of a step by the number of training images.

    The time of the epoch's shuffle, which is known by itself, is left out.
    """
    found = {}
    for key, speeds in results["training images"].items():
        pairs = zip(speeds, results["shuffle"][key], strict=True)
        found[key] = [1e3 * (batch_size / speed - seconds / steps) for speed, seconds in pairs]
    return found


def _draw(axis: "Axes", series: Series) -> None:
    points = [int(key) for key in series]
    middles = [statistics.median(values) for values in series.values()]
    below = [middle - min(values) for middle, values in zip(middles, series.values(), strict=True)]
    above = [max(values) - middle for middle, values in zip(middles, series.values(), strict=True)]
    axis.errorbar(points, middles, yerr=[below, above], marker="o", capsize=3)

"""The results of `benchmarks.training` as tables and as a plot."""

import argparse
import statistics
from typing import TYPE_CHECKING, Any

from benchmarks import report
from benchmarks.contenders import CONTENDERS
from reslag_vae.evaluation.pictures.figures import ACTIVE, INACTIVE, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNIT = "plain"  # the contender that the others are compared with
NOTE = (
    "Medians and ranges over the repetitions; ratios and costs are those of turns in the same "
    "repetition. Memory: of the contender's processes after a turn, the largest; what several "
    "contenders share, such as PyTorch's code, counts in equal parts. They hold different data: "
    "ours and the plain loops every image, the DataLoaders at most 1,024 files, pythae the images "
    "of one turn as floating point."
)


def write(results: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    """Print the tables, and write table.md, training.json and training.png to `arguments.out`.

    Args:
        results: results of each workload and batch size.
        arguments: parsed command line.
    """
    report.publish(arguments, "training", [table(result) for result in results], results)
    panels = [result for result in results if is_complete(result, UNIT)]
    if panels:
        save_figure(plot(panels), arguments.out / "training.png")


def table(result: dict[str, Any]) -> report.Table:
    """Return the table of all contenders on a workload.

    A contender that was lost at any time has a note in place of numbers.
    """
    contenders = result["contenders"]
    memory = ["memory, MB"]
    if any(entry["device_memory"] for entry in contenders.values()):
        memory.append("GPU memory, MB")
    rows, notes = [], [NOTE]
    for key, entry in contenders.items():
        contender = CONTENDERS[key]
        if entry["lost"]:
            notes.append(f"{contender.name} is left out: {entry['lost'].splitlines()[-1]}.")
            continue
        main_memory = max(turn["memory"] for turn in entry["turns"])
        peaks = [main_memory, entry["device_memory"] or 0][: len(memory)]
        cells = [
            report.median_and_range(speeds(entry)),
            compared(result, key, UNIT),
            compared(result, contender.joint, key) if contender.joint else "",
        ]
        rows.append((contender.name, *cells, *(f"{peak / 1e6:,.0f}" for peak in peaks)))
    packages = [f"{package} {version}" for package, version in result["packages"].items()]
    notes.append(f"With {', '.join(packages)}.")
    sizes = sorted({entry["images"] for entry in contenders.values()}, reverse=True)
    turns = " or ".join(f"{size:,}" for size in sizes)
    title = f"{result['work']}, batch {result['batch_size']}, turns of {turns} images"
    columns = (
        "contender",
        "images/s",
        f"/ {CONTENDERS[UNIT].name}",
        "cost in joint steps",
        *memory,
    )
    return report.Table(title, columns, rows, " ".join(notes))


def is_complete(result: dict[str, Any], key: str) -> bool:
    """Return whether a contender took part from the first repetition to the last."""
    return key in result["contenders"] and result["contenders"][key]["lost"] is None


def speeds(entry: dict[str, Any]) -> list[float]:
    """Return the images/s of each repetition."""
    return [turn["images"] / turn["seconds"] for turn in entry["turns"]]


def compared(result: dict[str, Any], key: str, unit: str) -> str:
    """Return the speed of a contender over that of another; a dash if one is missing."""
    if not (is_complete(result, key) and is_complete(result, unit)):
        return "-"
    contenders = result["contenders"]
    ratios = report.ratios(speeds(contenders[key]), speeds(contenders[unit]))
    return report.median_and_range(ratios, 2)


def plot(results: list[dict[str, Any]]) -> "Figure":
    """Draw the speed of joint training in units of the plain loop's.

    Each workload and batch size has a panel.
    """
    from matplotlib.figure import Figure

    sizes = list(dict.fromkeys(result["batch_size"] for result in results))
    works = list(dict.fromkeys(result["work"] for result in results))
    shown = [
        key
        for key in CONTENDERS
        if not CONTENDERS[key].joint and any(key in one["contenders"] for one in results)
    ]
    size = (2.2 + 3.6 * len(sizes), 0.5 + (0.7 + 0.27 * len(shown)) * len(works))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(works), len(sizes), sharex=True, sharey=True, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for result in results:
        axis = axes[works.index(result["work"]), sizes.index(result["batch_size"])]
        axis.set_axis_on()
        panel(axis, result, shown)
    figure.supxlabel(f"training speed / {CONTENDERS[UNIT].name}'s: median and range", fontsize=9)
    return figure


def panel(axis: "Axes", result: dict[str, Any], shown: list[str]) -> None:
    """Draw a bar for each contender, the first on top, with ours in colour."""
    contenders, unit = result["contenders"], speeds(result["contenders"][UNIT])
    for place, key in enumerate(shown):
        if not is_complete(result, key):
            continue
        ratios = report.ratios(speeds(contenders[key]), unit)
        middle = statistics.median(ratios)
        axis.barh(place, middle, height=0.7, color=ACTIVE if key.startswith("ours") else INACTIVE)
        axis.plot([min(ratios), max(ratios)], [place, place], color="black", linewidth=1)
        axis.annotate(
            f"{middle:.2f}",
            (max(ratios), place),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axis.axvline(1, color="black", linewidth=0.6, linestyle=":")
    axis.set_yticks(range(len(shown)), [CONTENDERS[key].name for key in shown], fontsize=8)
    axis.set_ylim(len(shown) - 0.4, -0.6)
    axis.tick_params(axis="x", labelsize=8)
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right"]].set_visible(False)
    speed = f"{CONTENDERS[UNIT].name} {statistics.median(unit):,.0f} images/s"
    axis.set_title(f"{result['work']}, batch {result['batch_size']}: {speed}", fontsize=8)

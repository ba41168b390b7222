"""Estimate how long all runs of Table 1 take on this GPU, from the steps that were measured.

Usage: python -m benchmarks.gpu_estimate --out gpu

Runs and updates are those of conf/experiment/table1.yaml and of the recipes. Every run of a data
set is taken to have steps as long as those of the measured variant on images of its size.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from benchmarks.gpu_steps import Row, read
from benchmarks.loops import RATIO
from benchmarks.report import Table, as_markdown
from benchmarks.workloads import CONF
from reslag_vae._runtime.files import write_atomically
from reslag_vae.studies.grid import jobs
from reslag_vae.training.schedules import Schedule

BATCH_SIZE = 32

# Training images of each data set before validation is taken off, and the workload of its size.
# CelebA has a validation split of its own.
DATA_SETS = {
    "mnist": (60_000, "fashion_mnist"),
    "fashion_mnist": (60_000, "fashion_mnist"),
    "cifar10": (50_000, "cifar10"),
    "cifar100": (50_000, "cifar10"),
    "celeba": (162_770, "celeba"),
}
OFFICIAL_VALIDATION = ("celeba",)

# The measured contenders of each precision, joint and aggressive, the best one first.
WAYS = {
    "float32": ("compiled, graphed", "graphed", "eager"),
    "bf16": ("compiled, graphed, bf16",),
}


@dataclass(frozen=True)
class Run:
    """The steps of a run.

    Attributes:
        data: name of the data set.
        joint: number of joint steps, of one update each.
        aggressive: number of aggressive steps.
        updates: number of updates in an aggressive step.
    """

    data: str
    joint: int
    aggressive: int
    updates: int

    @property
    def all_updates(self) -> int:
        """The number of updates."""
        return self.joint + self.aggressive * self.updates


def runs_of_table1() -> list[Run]:
    """Return the steps of every run of Table 1, of one seed."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        study = compose("train", ["experiment=table1"], return_hydra_config=True)
        grids: list[dict[str, list[str]]] = [dict(own) for own in study.hydra.sweeper.grids]
        return [run_of(compose("train", list(job.overrides)), job.data) for job in jobs(grids, {})]


def run_of(config: Any, data: str) -> Run:
    """Return the steps of a run, by its configuration."""
    images, _ = DATA_SETS[data]
    if data not in OFFICIAL_VALIDATION:
        images -= round(config.data.val_fraction * images)
    schedule: Schedule = instantiate(config.schedule)
    schedule.begin_epoch(0)
    minibatches = math.ceil(images / config.data.batch_size)
    epochs = config.recipe.max_epochs
    aggressive = schedule.aggressive_epochs(epochs)
    updates = number_of_updates(schedule)
    return Run(data, (epochs - aggressive) * minibatches, aggressive * minibatches, updates)


def number_of_updates(schedule: Schedule) -> int:
    """Return the number of updates in a step of a schedule whose steps are all alike."""
    return sum(1 for _ in schedule.updates())


def seconds_of(run: Run, rows: Sequence[Row], ways: Sequence[str]) -> float | None:
    """Return the seconds of a run's steps; None if they were not measured.

    An aggressive step of other than the measured number of updates is taken to be as much longer
    or shorter.
    """
    _, work = DATA_SETS[run.data]
    joint = first_measured(rows, work, ways)
    aggressive = first_measured(rows, work, [f"aggressive, {way}" for way in ways])
    if joint is None:
        return None
    if not run.aggressive:
        return run.joint * joint
    # Not measured, an update of one group is taken to be as long as one of both.
    update = joint if aggressive is None else aggressive / (RATIO + 1)
    return run.joint * joint + run.aggressive * run.updates * update


def first_measured(rows: Sequence[Row], work: str, contenders: Sequence[str]) -> float | None:
    """Return the seconds of a step of the first of some contenders that was measured."""
    found = {
        row.contender: row.step for row in rows if (row.work, row.batch_size) == (work, BATCH_SIZE)
    }
    measured = [found[name] for name in contenders if found.get(name) is not None]
    return measured[0] if measured else None


def table(runs: Sequence[Run], rows: Sequence[Row], beside: float | None) -> Table:
    """Return the minutes of all runs, by data set.

    Args:
        runs: runs of one seed.
        rows: measured steps.
        beside: seconds of a run beside its training, as measured; None if they are not known.
    """
    cells = [cells_of(name, [run for run in runs if run.data == name], rows) for name in DATA_SETS]
    cells.append(cells_of("all", runs, rows))
    note = "Steps alone: without start, compilation, validation, pictures and the test."
    if beside is not None:
        minutes = beside * len(runs) / 60
        note += f" In the real training these took {beside:.0f} s, so {minutes:.0f} min of all."
    columns = ("", "runs", "million updates", *(f"minutes a seed, {way}" for way in WAYS))
    return Table("Table 1 of the thesis on this GPU, one run after the other", columns, cells, note)


def cells_of(name: str, runs: Sequence[Run], rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the cells of some runs together."""
    updates = sum(run.all_updates for run in runs)
    minutes = [minutes_of(runs, rows, ways) for ways in WAYS.values()]
    return name, str(len(runs)), f"{updates / 1e6:.2f}", *minutes


def minutes_of(runs: Sequence[Run], rows: Sequence[Row], ways: Sequence[str]) -> str:
    """Return the minutes of some runs together; a dash if one's steps were not measured."""
    seconds = [seconds_of(run, rows, ways) for run in runs]
    known = [own for own in seconds if own is not None]
    return f"{sum(known) / 60:.1f}" if len(known) == len(seconds) else "-"


def seconds_beside_training(folder: Path) -> float | None:
    """Return the seconds of the real training's process beside its epochs; None if it was stopped.

    Args:
        folder: folder with its metrics.json, and with training_seconds.txt.
    """
    metrics, whole = folder / "metrics.json", folder / "training_seconds.txt"
    if not (metrics.exists() and whole.exists()):
        return None
    result = json.loads(metrics.read_text())
    return float(whole.read_text()) - float(result["seconds"])


def main() -> None:
    """Write the estimate as estimate.md."""
    parser = argparse.ArgumentParser("python -m benchmarks.gpu_estimate", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of steps.json")
    out = parser.parse_args().out
    text = as_markdown(table(runs_of_table1(), read(out), seconds_beside_training(out)))
    write_atomically(out / "estimate.md", text + "\n")
    print(text)


if __name__ == "__main__":
    main()

"""Measure a study of small runs, one after another and as many at a time as there are cores.

Usage: python -m benchmarks.sweep

A study is one command of train.py, from its start to its end: imports, validation, pictures and
checkpoints count. Both ways alternate.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Table, median_and_range, parser, publish

ROOT = Path(__file__).parents[1]
CORES = len(os.sched_getaffinity(0))

ONE, MANY = "one after another", f"{CORES} at a time"
LAUNCHERS = {
    ONE: ["hydra/launcher=basic"],
    MANY: ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={CORES}"],
}


def main() -> None:
    """Measure, and write the table."""
    command = parser(__doc__, "sweep", repetitions=3)
    command.add_argument("--runs", type=int, default=16, help="runs of a study (%(default)s)")
    command.add_argument("--epochs", type=int, default=5, help="epochs of a run (%(default)s)")
    arguments = command.parse_args()
    results: dict[str, list[float]] = {ONE: [], MANY: []}
    for repetition in range(arguments.repetitions):
        for name, launcher in LAUNCHERS.items():
            speed = speed_of(arguments.runs, arguments.epochs, launcher)
            results[name].append(speed)
            print(f"{repetition + 1}/{arguments.repetitions} {name}: {speed:.0f}/s", flush=True)
    title = f"{arguments.runs} runs of {arguments.epochs} epochs on the digits, {CORES} cores"
    publish(arguments, "sweep", [as_table(title, results)], results)


def speed_of(runs: int, epochs: int, launcher: list[str]) -> float:
    """Return the number of images that a study trains on in a second of its command.

    Raises:
        SystemExit: a run has failed.
    """
    seeds = ",".join(map(str, range(runs)))
    with tempfile.TemporaryDirectory() as folder:
        options = [
            *("-m", "model=optimal_sigma", "data=digits", f"seed={seeds}", "logger=none"),
            *(f"trainer.max_epochs={epochs}", f"hydra.sweep.dir={folder}", *launcher),
        ]
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "train.py", *options], cwd=ROOT, capture_output=True, text=True
        )
        seconds = time.perf_counter() - began
        results = [json.loads(file.read_text()) for file in Path(folder).rglob("metrics.json")]
    if done.returncode or len(results) != runs:
        raise SystemExit(f"train.py {' '.join(options)} failed:\n{done.stderr[-2000:]}")
    images: int = sum(own["images"]["train"] * own["epochs_run"] for own in results)
    return images / seconds


def as_table(title: str, results: dict[str, list[float]]) -> Table:
    """Return a table with a row for each way to run the study."""
    rows = []
    for name, speeds in results.items():
        ratios = [own / other for own, other in zip(speeds, results[ONE], strict=True)]
        rows.append((name, median_and_range(speeds), median_and_range(ratios, 2)))
    columns = ("runs", "images/s of the whole study", f"/ {ONE}")
    return Table(title, columns, rows, "Medians and ranges; ratios of the same repetition.")


if __name__ == "__main__":
    main()

"""Measure the time from the command to the first training step, in new processes of train.py.

Usage: python -m benchmarks.startup

Each start is train.py itself, with Weights & Biases offline, every callback on, and one more
callback that records the moments and ends the process after its first step. CelebA is started with
an empty cache, which decodes every picture, and again, which must open none.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.files import write_celeba
from benchmarks.report import Table, median_and_range, parser, publish

ROOT = Path(__file__).parents[1]
Start = dict[str, float]

HELP, DIGITS, FIRST, SECOND = (
    "--help",
    "model=lagging data=digits",
    "data=celeba, first start",
    "second start",
)


def main() -> None:
    """Measure, and write the table."""
    command = parser(__doc__, "startup", repetitions=5)
    command.add_argument(
        "--celeba-root",
        type=Path,
        help="a folder that holds a real celeba/ (default: made-up pictures)",
    )
    command.add_argument(
        "--pictures", type=int, default=2_000, help="of them, made up (default: %(default)s)"
    )
    arguments = command.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if arguments.celeba_root is None:
            write_celeba(root, arguments.pictures)
        else:
            # Next to a link the decoded cache is created here, and that of the real folder is
            # unchanged.
            (root / "celeba").symlink_to(
                arguments.celeba_root.resolve() / "celeba", target_is_directory=True
            )
        results = measure(root, arguments.repetitions)
    publish(arguments, "startup", [as_table(results)], results)


def measure(root: Path, repetitions: int) -> dict[str, list[Start]]:
    """Return the records of every start, one after another."""
    results: dict[str, list[Start]] = {HELP: [], DIGITS: [], FIRST: [], SECOND: []}
    celeba = ["model=reslag_light", "data=celeba", f"data.root={root}"]
    for repetition in range(repetitions):
        shutil.rmtree(root / ".cache", ignore_errors=True)
        results[HELP].append({"step": help_seconds()})
        results[DIGITS].append(started(["model=lagging", "data=digits"]))
        results[FIRST].append(started(celeba))
        results[SECOND].append(started(celeba))
        newest = ", ".join(
            f"{name}: {starts[-1]['step']:.1f} s" for name, starts in results.items()
        )
        print(f"{repetition + 1}/{repetitions} {newest}", flush=True)
    return results


def help_seconds() -> float:
    """Return the seconds until `train.py --help` has ended."""
    began = time.time()
    _run(["--help"])
    return time.time() - began


def started(options: Sequence[str]) -> Start:
    """Return the seconds from the start of the process to `fit` and to the first `step`.

    The first step has ended then. `pictures` is the number of pictures opened.
    """
    with tempfile.TemporaryDirectory() as folder:
        stamps = Path(folder, "stamps.json")
        callback = [
            "+callbacks.stamps._target_=benchmarks.startup_probe.StartupProbe",
            f"+callbacks.stamps.path={stamps}",
        ]
        began = time.time()
        _run([*options, *callback, f"hydra.run.dir={folder}/run"])
        start: Start = json.loads(stamps.read_text())
    return start | {name: start[name] - began for name in ("fit", "step")}


def _run(options: Sequence[str]) -> None:
    try:
        command = [sys.executable, "train.py", *options]
        environment = os.environ | {"WANDB_MODE": "offline"}
        subprocess.run(
            command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        )
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"train.py {' '.join(options)} failed:\n{error.stderr[-2000:]}") from None


def as_table(results: dict[str, list[Start]]) -> Table:
    """Return a table with one row for each kind of start."""
    rows = []
    for name, starts in results.items():
        steps = [start["step"] for start in starts]
        if name == HELP:
            rows.append((name, "-", "-", median_and_range(steps, 2), "-"))
            continue
        fits = [start["fit"] for start in starts]
        first = [step - fit for step, fit in zip(steps, fits, strict=True)]
        opened = max(start["pictures"] for start in starts)
        rows.append(
            (
                name,
                median_and_range(fits, 2),
                median_and_range(first, 2),
                median_and_range(steps, 2),
                f"{opened:,.0f}",
            )
        )
    columns = (
        "train.py",
        "to the start of fit",
        "fit to first step done",
        "to first step done",
        "pictures opened, at most",
    )
    note = (
        "Medians and ranges. --help: until the process has ended. Two batches are validated before "
        "the first step."
    )
    return Table("Start-up, seconds from the start of the process", columns, rows, note)


if __name__ == "__main__":
    main()

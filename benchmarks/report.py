"""What every measurement leaves: tables on the screen and as markdown, the numbers as JSON, and how they came about."""

import argparse
import json
import os
import platform
import shlex
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import rich.table
import torch
from rich.console import Console
from rich.text import Text

from reslag_vae._runtime.files import write_atomically
from reslag_vae.runs import provenance

RESULTS = Path("benchmarks/results")


class Table(NamedTuple):
    """One table of a report; the first column holds names, the others numbers.

    Attributes:
        title: what was measured.
        columns: their headings.
        rows: as many cells as columns in each.
        note: below the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""


def parser(
    description: str | None, name: str, repetitions: int | None = None
) -> argparse.ArgumentParser:
    """A command line with the options that measurements share; without `repetitions` there is but one."""
    form = argparse.RawDescriptionHelpFormatter
    command = argparse.ArgumentParser(
        f"python -m benchmarks.{name}", description=description, formatter_class=form
    )
    command.add_argument(
        "--out",
        type=Path,
        default=RESULTS / name,
        help="folder of the results (default: %(default)s)",
    )
    if repetitions is None:
        command.set_defaults(repetitions=1)
    else:
        command.add_argument(
            "--repetitions", type=int, default=repetitions, help="(default: %(default)s)"
        )
    return command


def publish(arguments: argparse.Namespace, name: str, tables: Sequence[Table], raw: Any) -> None:
    """Print the tables, and write `table.md` and `<name>.json` into the folder `arguments.out`.

    Args:
        arguments: of `parser`.
        name: of the measurement.
        tables: for reading.
        raw: every number that was measured, as JSON can hold it.
    """
    circumstances = conditions(name, arguments.repetitions)
    heading = ", ".join(f"{key} {value}" for key, value in circumstances.items())
    console = Console()
    console.print(heading)
    for table in tables:
        console.print(_as_rich(table))
    write_atomically(
        arguments.out / "table.md", "\n\n".join([heading, *map(_as_markdown, tables)]) + "\n"
    )
    content = {"conditions": circumstances, "results": raw}
    write_atomically(arguments.out / f"{name}.json", json.dumps(content, indent=2) + "\n")


def conditions(name: str, repetitions: int) -> dict[str, str]:
    """What a number depends on beside the code that is measured."""
    return {
        "device": device_name(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "torch": torch.__version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": str(provenance.commit()),
        "command": shlex.join(["python", "-m", f"benchmarks.{name}", *sys.argv[1:]]),
        "repetitions": str(repetitions),
    }


def device_name() -> str:
    """The GPU that the Trainer would take, or else the model of the processor."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or "unknown processor"


def synchronize() -> None:
    """Wait until the device has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def middle(values: Sequence[float], digits: int = 0) -> str:
    """Median and range."""
    median, least, most = (
        f"{value:,.{digits}f}" for value in (statistics.median(values), min(values), max(values))
    )
    return f"{median} ({least} to {most})"


def ratios(values: Sequence[float], units: Sequence[float]) -> list[float]:
    """Each value over the unit of the same repetition, so that a change of the machine's speed meets both."""
    return [value / unit for value, unit in zip(values, units, strict=True)]


def _as_rich(table: Table) -> rich.table.Table:
    # As texts, because square brackets would be taken for markup.
    note = Text(table.note) if table.note else None
    drawn = rich.table.Table(title=Text(table.title), caption=note, title_justify="left")
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if number else "left")
    for row in table.rows:
        drawn.add_row(*row)
    return drawn


def _as_markdown(table: Table) -> str:
    rows = [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    lines = [table.columns, ("---", *["---:"] * (len(table.columns) - 1)), *rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{table.title}**\n\n{body}" + (f"\n\n{table.note}" if table.note else "")

"""The output of every measurement: tables on the screen and as Markdown, numbers as JSON.

Both state the conditions of the measurement.
"""

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
    """A table of a report; the first column holds names, the others numbers.

    Attributes:
        title: what was measured.
        columns: headings of the columns.
        rows: cells of each row, as many as columns.
        note: text below the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""


def parser(
    description: str | None, name: str, repetitions: int | None = None
) -> argparse.ArgumentParser:
    """Return a command line with the options that all measurements share.

    Without `repetitions` there is only one.
    """
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
        arguments: parsed command line of `parser`.
        name: name of the measurement.
        tables: tables for reading.
        raw: every measured number, in a form that JSON can hold.
    """
    circumstances = conditions(name, arguments.repetitions)
    heading = ", ".join(f"{key} {value}" for key, value in circumstances.items())
    console = Console()
    console.print(heading)
    for table in tables:
        console.print(_as_rich(table))
    folder = arguments.out.resolve().name
    title = folder if folder.startswith(name) else f"{name}: {folder}"
    text = "\n\n".join([f"# Benchmark {title}", heading, *map(as_markdown, tables)]) + "\n"
    write_atomically(arguments.out / "table.md", text)
    content = {"conditions": circumstances, "results": raw}
    write_atomically(arguments.out / f"{name}.json", json.dumps(content, indent=2) + "\n")


def conditions(name: str, repetitions: int) -> dict[str, str]:
    """Return what a number depends on besides the measured code."""
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
    """Return the name of the GPU that the Trainer would use, or else of the processor."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or "unknown processor"


def synchronize() -> None:
    """Wait until the device has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def median_and_range(values: Sequence[float], digits: int = 0) -> str:
    """Return median and range as text."""
    median, least, most = statistics.median(values), min(values), max(values)
    return f"{median:,.{digits}f} ({least:,.{digits}f} to {most:,.{digits}f})"


def ratios(values: Sequence[float], units: Sequence[float]) -> list[float]:
    """Return each value over the unit of the same repetition.

    A change of the machine's speed then affects both.
    """
    return [value / unit for value, unit in zip(values, units, strict=True)]


def _as_rich(table: Table) -> rich.table.Table:
    # Text objects, because square brackets in strings would be taken for markup.
    note = Text(table.note) if table.note else None
    drawn = rich.table.Table(title=Text(table.title), caption=note, title_justify="left")
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if number else "left")
    for row in table.rows:
        drawn.add_row(*row)
    return drawn


def as_markdown(table: Table) -> str:
    """Return a table as Markdown."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    lines = [table.columns, ("---", *["---:"] * (len(table.columns) - 1)), *rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{table.title}**\n\n{body}" + (f"\n\n{table.note}" if table.note else "")

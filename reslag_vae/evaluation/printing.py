"""The results of an evaluation on the terminal."""

from collections import defaultdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reslag_vae._runtime.errors import printable
from reslag_vae.evaluation.numbers import Numbers, format_number
from reslag_vae.evaluation.record import EvaluatedRun


def print_results(result: EvaluatedRun) -> None:
    """Print a run's numbers as a table, then what is missing and why, the verdict and the files.

    Beside each number stands its standard error over images, or over several classifiers their
    standard deviation.
    """
    console = Console()
    console.print(numbers_table(result))
    lines = [f"without {', '.join(names)}: {why}" for why, names in absent(result.numbers).items()]
    classifiers = result.subject.settings.classifiers
    if classifiers > 1:
        lines.append(f"± of numbers by {classifiers} classifiers: their standard deviation")
    if result.diagnosis is not None:
        lines.append(result.diagnosis.verdict)
    lines += [f"  {path}" for path in (result.file, *result.pictures)]
    for line in lines:
        console.print(printable(line), soft_wrap=True, highlight=False, markup=False)


def numbers_table(result: EvaluatedRun) -> Table:
    """Return a table of the numbers that a run has, in groups."""
    title = escape(f"{result.run.title}: {result.run.folder}, epoch {result.run.epoch}")
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("± s.e.", justify="right", no_wrap=True)
    table.add_column("unit")
    for group, numbers in result.numbers.items():
        table.add_section()
        table.add_row(f"[bold]{group}")
        for name, number in numbers.items():
            if number.value is not None:
                error = "" if number.error is None else f"{number.error:.3g}"
                table.add_row(f"  {name}", format_number(number.value), error, number.unit)
    return table


def absent(groups: dict[str, Numbers]) -> dict[str, list[str]]:
    """Return the numbers without a value, as "group name", by the reason why they have none."""
    found: dict[str, list[str]] = defaultdict(list)
    for group, numbers in groups.items():
        for name, number in numbers.items():
            if number.value is None:
                found[number.protocol].append(f"{group} {name}")
    return found

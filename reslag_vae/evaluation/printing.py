"""The results of an evaluation on the terminal."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reslag_vae._runtime.errors import printable
from reslag_vae.evaluation.numbers import Number, format_measured
from reslag_vae.evaluation.record import EvaluatedRun
from reslag_vae.evaluation.selection import GROUPS, Shown
from reslag_vae.models import GenerativeModel


def print_run(result: EvaluatedRun) -> None:
    """Print which run was evaluated, its verdict, and its files."""
    lines = [f"{result.run.title}: {result.run.folder}, epoch {result.run.epoch}"]
    if result.diagnosis is not None:
        lines.append(result.diagnosis.verdict)
    print_lines([*lines, *(f"  {path}" for path in (result.file, *result.pictures))])


def print_numbers(titled: Mapping[str, EvaluatedRun]) -> None:
    """Print the most telling numbers of runs on the same images side by side.

    Args:
        titled: runs by title.
    """
    results = list(titled.values())
    Console().print(numbers_table(titled, f"{results[0].subject.data.key}, {split_of(results[0])}"))
    lines = []
    for title, result in titled.items():
        whose = f"{title}: " if len(titled) > 1 else ""
        missing = absent(result).items()
        lines += [f"{whose}without {', '.join(names)}: {why}" for why, names in missing]
    print_lines([note_on_errors(results), *notes(titled), *lines])


def split_of(result: EvaluatedRun) -> str:
    """Return the evaluated split in words."""
    return f"{result.subject.settings.split} split, {len(result.subject.images):,} images"


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are."""
    for line in lines:
        Console().print(printable(line), soft_wrap=True, highlight=False, markup=False)


def note_on_errors(results: Iterable[EvaluatedRun]) -> str:
    """Return what ± means, and where the other numbers are."""
    classifiers = max(result.subject.settings.classifiers for result in results)
    note = "±: standard error over images"
    if classifiers > 1:
        note += f"; ± of numbers by {classifiers} classifiers: their standard deviation"
    return f"{note}. All numbers, with how each was measured: evaluation.json."


def notes(titled: Mapping[str, EvaluatedRun]) -> list[str]:
    """Return the sentences on runs whose numbers mean something else than those of others.

    Args:
        titled: runs by title.
    """
    return [
        f"{title}: {note}" if len(titled) > 1 else note
        for title, result in titled.items()
        for note in notes_on(result.subject.model)
    ]


def notes_on(model: GenerativeModel) -> list[str]:
    """Return sentences on the bounds of some models, and on decoded images without a mean.

    Args:
        model: the model.
    """
    found = []
    if model.condition is not None:
        found.append(
            f"likelihoods are of p(x|y), given {model.condition.words}; they compare with those of "
            "models that are told the same alone."
        )
    if not model.latent_dim:
        found.append("the log-likelihood is exact: there are no latents.")
    if not model.likelihood.has_mean:
        found.append(
            f"decoded images are samples, one each, since likelihood={model.likelihood.name} has "
            "no mean; squared errors in the loss are of each pixel's mean given the pixels before "
            "it."
        )
    return found


def numbers_table(titled: Mapping[str, EvaluatedRun], title: str) -> Table:
    """Return a table of the numbers that at least one run has, with a column for each run.

    Args:
        titled: runs by the heading of their column.
        title: text above the table.
    """
    table = Table(title=escape(printable(title)), title_justify="left")
    # As wide as the labels: the title of a group has two lines rather than leave meanings no room.
    table.add_column("", width=2 + max(len(own.label) for own in chain(*GROUPS.values())))
    for heading in titled:
        table.add_column(escape(printable(heading)), justify="right")
    table.add_column("", overflow="fold")
    for group, shown in GROUPS.items():
        rows = [(own, [number_of(result, own) for result in titled.values()]) for own in shown]
        filled = [(own, found) for own, found in rows if any(map(has_value, found))]
        if filled:
            table.add_section()
            table.add_row(f"[bold]{group}")
        for own, found in filled:
            table.add_row(f"  {own.label}", *map(cell, found), f"[dim]{meaning(own, found)}")
    return table


def number_of(result: EvaluatedRun, shown: Shown) -> Number | None:
    """Return a number of a run's, or None if it was not measured."""
    return result.numbers.get(shown.group, {}).get(shown.name)


def has_value(number: Number | None) -> bool:
    """Return whether a number was measured and has a value."""
    return number is not None and number.value is not None


def cell(number: Number | None) -> str:
    """Return a number with its error, or a dash."""
    return "-" if number is None else format_measured(number)


def meaning(shown: Shown, found: Iterable[Number | None]) -> str:
    """Return what a number says; of a count also out of how many, where runs agree."""
    units = {number.unit for number in found if number is not None and number.value is not None}
    [unit] = units if len(units) == 1 else [""]
    counted = unit.startswith("of ") and unit[3:].isdigit()
    return f"{unit} {shown.meaning}" if counted else shown.meaning


def absent(result: EvaluatedRun) -> dict[str, list[str]]:
    """Return the labels of the numbers that a run lacks, by the reason why."""
    found: dict[str, list[str]] = defaultdict(list)
    for shown in chain(*GROUPS.values()):
        number = number_of(result, shown)
        if number is not None and number.value is None:
            found[number.protocol].append(shown.label.removeprefix("... "))
    return found

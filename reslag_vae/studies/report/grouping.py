"""The runs of a study grouped into rows, in the order of the thesis."""

from collections.abc import Iterable

from reslag_vae.runs.differences import SEEDS, material_differences
from reslag_vae.runs.errors import RunError
from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.report.rows import Row
from reslag_vae.variants.titles import TITLES

DATA = (
    "mnist",
    "mnist_dynamic",
    "binarized_mnist",
    "fashion_mnist",
    "omniglot",
    "omniglot_dynamic",
    "cifar10",
    "cifar10_folder",
    "cifar100",
    "celeba",
)


def rows_of(runs: Iterable[FinishedRun]) -> dict[str, list[Row]]:
    """Return the rows by data set, both in the order of the thesis.

    Raises:
        RunError: runs of one row differ in more than their seeds, so that they have no mean.
    """
    groups: dict[tuple[str, str], list[FinishedRun]] = {}
    for run in runs:
        groups.setdefault((run.data, run.row), []).append(run)
    rows = [
        Row(name, data, sorted(group, key=lambda run: run.seed))
        for (data, name), group in groups.items()
    ]
    for row in rows:
        check_alike(row)
    ordered = sorted(rows, key=row_order)
    names = sorted({row.data for row in rows}, key=data_order)
    return {data: [row for row in ordered if row.data == data] for data in names}


def check_alike(row: Row) -> None:
    """Raise a RunError if the runs of a row differ in more than their seeds."""
    first, *others = row.runs
    for other in others:
        digests = {first.test_digest, other.test_digest}
        if None not in digests and len(digests) > 1:
            raise RunError(
                f"{first.folder} and {other.folder} were tested on different images (inventory in "
                "their metrics.json): they are of different rows."
            )
        for name, one, two in material_differences(first.config, other.config):
            if name not in SEEDS:
                raise RunError(
                    f"{first.folder} and {other.folder} differ in more than their seeds "
                    f"({name}={one} and {two}): they are of different rows."
                )


def data_order(data: str) -> tuple[int, str]:
    """Return the sort key of a data set."""
    return (DATA.index(data) if data in DATA else len(DATA), data)


def row_order(row: Row) -> tuple[int, str, list[tuple[float, str]]]:
    """Return the sort key of a row: its variant, objective and numbers."""
    models = list(TITLES)
    model = models.index(row.model) if row.model in models else len(models)
    return (model, row.objective, [axis_order(axis) for axis in row.axes])


def axis_order(axis: str) -> tuple[float, str]:
    """Return the sort key of an axis such as `beta 4`: its number, then its text."""
    *_, last = axis.split(" ")
    try:
        return float(last), axis
    except ValueError:
        return float("inf"), axis

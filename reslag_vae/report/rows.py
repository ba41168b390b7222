"""The rows of the tables: what is the same of runs that differ in their seeds alone."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from reslag_vae.models.titles import TITLES, is_usual, title_of
from reslag_vae.report.finished import Finished
from reslag_vae.report.statistics import Estimate, estimate
from reslag_vae.report.thesis import STANDS_FOR, TERMS, setting_of, table1

# Objectives whose Lat the thesis averages over the latent dimensions.
AVERAGED = ("beta", "mmd")

# The share of the official training images from which on a data set counts as whole.
WHOLE = 0.99


class Row(NamedTuple):
    """A method on a data set.

    Attributes:
        name: of its folder.
        data: the data set.
        runs: by seed.
    """

    name: str
    data: str
    runs: list[Finished]

    @property
    def model(self) -> str:
        """Name of the variant."""
        return str(self.runs[0].result["model"])

    @property
    def objective(self) -> str:
        """Name of the objective."""
        return str(self.runs[0].result["objective"])

    @property
    def axes(self) -> list[str]:
        """What else the row is told by, such as `beta 4`."""
        return [part.replace("_", " ") for part in self.name.split("-") if part not in (self.model, self.objective)]

    @property
    def title(self) -> str:
        """The variant as the thesis calls it, with what it differs in."""
        return ", ".join([title_of(self.model, self.objective), *self.axes])

    def estimate(self, value: Callable[[Finished], float | None]) -> Estimate | None:
        """A number of every run, in the mean; None if a run lacks it."""
        values = [value(run) for run in self.runs]
        return estimate([v for v in values if v is not None]) if None not in values else None

    def term(self, name: str) -> Estimate | None:
        """Rec, Lat, MMD or Total of the test split in the conventions of the thesis."""
        return self.estimate(lambda run: term_of(run, name))

    def metric(self, name: str) -> Estimate | None:
        """A metric of the test split in metrics.json."""
        return self.estimate(lambda run: number(run.result["test"].get(name)))

    @property
    def printed(self) -> dict[str, float]:
        """What the thesis printed of it; empty where it did not."""
        if self.axes or not is_usual(self.model, self.objective):
            return {}
        return table1().get((STANDS_FOR.get(self.data, self.data), self.model), {})

    @property
    def caveats(self) -> list[str]:
        """In what its runs differ from those of the thesis, so that their numbers do not compare."""
        return list(dict.fromkeys(caveat for run in self.runs for caveat in caveats_of(run)))


def term_of(run: Finished, name: str) -> float | None:
    """A term of Table 1."""
    test = run.result["test"]
    if name == "total":
        return number(test["loss"])
    if name == "lat":
        return number(test["kl_per_dim" if run.result["objective"] in AVERAGED else "kl"])
    return number(test.get(name))


def number(value: object) -> float | None:
    """As a float."""
    return float(value) if isinstance(value, int | float) else None


def caveats_of(run: Finished) -> list[str]:
    """Fewer epochs, fewer images, other pixels."""
    setting, found = setting_of(run.data), []
    if setting is None:
        return []
    epochs = int(run.config["trainer"]["max_epochs"])
    if epochs < setting.epochs:
        found.append(f"{epochs} of {setting.epochs} epochs")
    images = run.result["images"]
    known = images["train"] + images["val"]
    if run.data not in STANDS_FOR and known < WHOLE * setting.images:
        found.append(f"{known:,} of {setting.images:,} training images")
    if run.data in STANDS_FOR:
        found.append("saved as pictures, not the official pixels")
    return found


def rows_of(runs: Iterable[Finished]) -> dict[str, list[Row]]:
    """The rows by data set, both in the order of the thesis."""
    groups: dict[tuple[str, str], list[Finished]] = {}
    for run in runs:
        groups.setdefault((run.data, run.row), []).append(run)
    rows = [Row(name, data, sorted(group, key=lambda run: run.seed)) for (data, name), group in groups.items()]
    ordered = sorted(rows, key=place)
    return {data: [row for row in ordered if row.data == data] for data in sorted({r.data for r in rows}, key=rank)}


DATA = ("mnist", "fashion_mnist", "cifar10", "cifar10_folder", "cifar100", "celeba")


def rank(data: str) -> tuple[int, str]:
    """The place of a data set."""
    return (DATA.index(data) if data in DATA else len(DATA), data)


def place(row: Row) -> tuple[int, str, list[tuple[float, str]]]:
    """The place of a row: by variant, objective, and the numbers that it differs in."""
    models = list(TITLES)
    model = models.index(row.model) if row.model in models else len(models)
    return (model, row.objective, [value_of(axis) for axis in row.axes])


def value_of(axis: str) -> tuple[float, str]:
    """`beta 4` as something that sorts by its number."""
    *_, last = axis.split(" ")
    try:
        return float(last), axis
    except ValueError:
        return float("inf"), axis


def has(rows: Sequence[Row], term: str) -> bool:
    """Whether any of the rows has a term, measured or printed."""
    assert term in TERMS
    return any(row.term(term) is not None or term in row.printed for row in rows)

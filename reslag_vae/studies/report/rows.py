"""The rows of the tables: what runs share that differ only in their seeds."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from reslag_vae.runs.differences import SEEDS, material_differences
from reslag_vae.runs.folder import RunError
from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.report.statistics import Estimate, estimate
from reslag_vae.studies.report.thesis import (
    BATCH_SIZE,
    LEARNING_RATE,
    STANDS_FOR,
    TERMS,
    setting_of,
    table1,
)
from reslag_vae.variants.titles import TITLES, is_usual, title_of

# Objectives for which the thesis averages Lat over the latent dimensions.
AVERAGED = ("beta", "mmd")

# The smallest share of the official training images with which a data set counts as whole.
WHOLE = 0.99


class Row(NamedTuple):
    """A method on a data set.

    Attributes:
        name: name of the row's folder.
        data: name of the data set.
        runs: the row's runs, by seed.
    """

    name: str
    data: str
    runs: list[FinishedRun]

    @property
    def model(self) -> str:
        """Name of the variant."""
        return str(self.runs[0].result["model"])

    @property
    def objective(self) -> str:
        """Name of the objective, followed by that of the likelihood if it is not the usual one."""
        return str(self.runs[0].result["objective"])

    @property
    def axes(self) -> list[str]:
        """The other options that distinguish the row, such as `beta 4`.

        Numbers are rounded to 3 digits, as those drawn by a sweep have 17.
        """
        known = (self.model, *self.objective.split(", "))
        parts = [part for part in self.name.split("-") if part not in known]
        return [
            re.sub(r"\d+\.\d{4,}", lambda long: f"{float(long[0]):.3g}", part).replace("_", " ")
            for part in parts
        ]

    @property
    def title(self) -> str:
        """The thesis' name of the variant, with the options in which the row differs."""
        return ", ".join([title_of(self.model, self.objective), *self.axes])

    def estimate(self, value: Callable[[FinishedRun], float | None]) -> Estimate | None:
        """Return the estimate of a number over the runs; None if a run lacks it."""
        values = [value(run) for run in self.runs]
        known = [number for number in values if number is not None]
        return estimate(known) if len(known) == len(values) else None

    def term(self, name: str) -> Estimate | None:
        """Return Rec, Lat, MMD or Total of the test split in the thesis' conventions."""
        return self.estimate(lambda run: term_of(run, name))

    @property
    def printed(self) -> dict[str, float]:
        """The numbers that the thesis prints for the row; empty if there are none."""
        if self.axes or not is_usual(self.model, self.objective):
            return {}
        return table1().get((STANDS_FOR.get(self.data, self.data), self.model), {})

    @property
    def total_at_thesis_sigma2(self) -> Estimate | None:
        """The Total with the variance that solves the thesis' own row, so that both compare.

        It is None if the thesis printed no such row.
        """
        printed = self.printed
        if self.objective != "sigma_data" or not {"rec", "lat", "total"} <= printed.keys():
            return None
        dimensions = self.runs[0].dimensions
        sigma2 = implied_sigma2(printed["rec"], printed["lat"], printed["total"], dimensions)
        return self.estimate(lambda run: sigma_total(run.result["test"], sigma2, dimensions))

    @property
    def caveats(self) -> list[str]:
        """The ways in which the runs differ from the thesis'.

        A row with any does not compare with the thesis.
        """
        found: list[str] = []
        for run in self.runs:
            found += scale_caveats(run)
            found += [] if self.axes else setting_caveats(run)
        return list(dict.fromkeys(found))


def term_of(run: FinishedRun, name: str) -> float | None:
    """Return a run's term of Table 1."""
    test = run.result["test"]
    if name == "total":
        return as_float(test["loss"])
    if name == "lat":
        objective = str(run.result["objective"]).partition(", ")[0]
        return as_float(test["kl_per_dim" if objective in AVERAGED else "kl"])
    return as_float(test.get(name))


def sigma_total(test: dict[str, Any], sigma2: float, dimensions: int) -> float | None:
    """Return (D/2) ln s2 + Rec / (2 s2) + KL, the Total of the sigma rows."""
    rec, kl = as_float(test.get("rec")), as_float(test.get("kl"))
    if rec is None or kl is None:
        return None
    return dimensions / 2 * math.log(sigma2) + rec / (2 * sigma2) + kl


def implied_sigma2(rec: float, lat: float, total: float, dimensions: int) -> float:
    """Return the variance with which a Rec and a Lat of the thesis give its Total.

    As a function of the variance, the Total falls up to the mean squared error and rises above it.
    The thesis' variance, that of the data, lies above.
    """
    from scipy.optimize import brentq

    def excess(sigma2: float) -> float:
        return dimensions / 2 * math.log(sigma2) + rec / (2 * sigma2) + lat - total

    return float(brentq(excess, rec / dimensions, 1.0))


def as_float(value: object) -> float | None:
    """Return a number as a float, or None if the value is not a number."""
    return float(value) if isinstance(value, int | float) else None


def scale_caveats(run: FinishedRun) -> list[str]:
    """Return where a run has fewer epochs or images than the thesis, or other pixels."""
    setting, found = setting_of(run.data), data_caveats(run)
    if setting is None:
        return found
    planned, done = int(run.config["trainer"]["max_epochs"]), int(run.result["epochs_run"])
    stopped = str(run.result.get("stopped_because", "")).startswith("the trainer was told to stop")
    if planned != setting.epochs or (stopped and done < planned):
        found.append(f"{min(planned, done) if stopped else planned} of {setting.epochs} epochs")
    images = run.result["images"]
    known = images["train"] + images["val"]
    if run.data in STANDS_FOR:
        found.append("saved as pictures, not the official pixels")
    elif known < WHOLE * setting.images:
        found.append(f"{known:,} of {setting.images:,} training images")
    return found


def data_caveats(run: FinishedRun) -> list[str]:
    """Return what a run did not see of its data, and what is unusual about them."""
    found = [str(note) for note in run.notes]
    trainer = run.config["trainer"]
    found += [
        f"{name} {trainer[name]}"
        for name in sorted(trainer)
        if name.startswith("limit_") and trainer[name] != 1
    ]
    seen = run.history[-1].get("images_seen") if run.history else None
    expected = run.result["images"]["train"] * int(run.result["epochs_run"])
    if seen is not None and seen < WHOLE * expected:
        found.append(f"{seen:,.0f} images seen, where its epochs have {expected:,}")
    return found


def setting_caveats(run: FinishedRun) -> list[str]:
    """Return the settings of a run that differ from those that the thesis prints."""
    setting = setting_of(run.data)
    if setting is None:
        return []
    network, schedule = run.config["network"], run.config["schedule"]
    objective = run.config["objective"]
    pairs = [
        ("latent", network["latent_dim"], setting.latent),
        ("convolution blocks", sum(network["blocks"]), setting.blocks),
        ("learning rate", run.config["optimizer"]["lr"], LEARNING_RATE),
    ]
    if "ratio" in schedule:
        pairs += [
            ("ratio", schedule["ratio"], setting.ratio),
            ("aggressive epochs", schedule["epochs"], setting.aggressive),
        ]
    if "beta" in objective:
        pairs += [("beta", objective["beta"], setting.beta)]
    found = [
        f"{name} {ours:g}, the thesis' {printed:g}"
        for name, ours, printed in pairs
        if ours != printed
    ]
    own = run.config.get("data", {}).get("batch_size", BATCH_SIZE)
    if own != BATCH_SIZE:
        found.append(f"batch size {own}, where the thesis' Figure 5 speaks for {BATCH_SIZE}")
    return found


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


def has_term(rows: Sequence[Row], term: str) -> bool:
    """Return whether any of the rows has a term, measured or printed."""
    assert term in TERMS
    return any(row.term(term) is not None or term in row.printed for row in rows)

"""The rows of the tables: what is the same of runs that differ in their seeds alone."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from reslag_vae.runs.differences import SEEDS, material_differences
from reslag_vae.runs.folder import RunError
from reslag_vae.studies.report.finished import Finished
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
        """What else the row is told by, such as `beta 4`; of the 17 digits of a number that was drawn 3 are shown."""
        parts = [part for part in self.name.split("-") if part not in (self.model, self.objective)]
        return [
            re.sub(r"\d+\.\d{4,}", lambda long: f"{float(long[0]):.3g}", part).replace("_", " ")
            for part in parts
        ]

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

    @property
    def printed(self) -> dict[str, float]:
        """What the thesis printed of it; empty where it did not."""
        if self.axes or not is_usual(self.model, self.objective):
            return {}
        return table1().get((STANDS_FOR.get(self.data, self.data), self.model), {})

    @property
    def total_at_thesis_sigma2(self) -> Estimate | None:
        """Total with the variance that solves the thesis' own row, so that both compare; None where it printed none."""
        printed = self.printed
        if self.objective != "sigma_data" or not {"rec", "lat", "total"} <= printed.keys():
            return None
        dimensions = self.runs[0].dimensions
        sigma2 = implied_sigma2(printed["rec"], printed["lat"], printed["total"], dimensions)
        return self.estimate(lambda run: sigma_total(run.result["test"], sigma2, dimensions))

    @property
    def caveats(self) -> list[str]:
        """In what its runs differ from those of the thesis, so that their numbers do not compare."""
        own = [
            caveat
            for run in self.runs
            for caveat in (*scale_of(run), *([] if self.axes else settings_of(run)))
        ]
        return list(dict.fromkeys(own))


def term_of(run: Finished, name: str) -> float | None:
    """A term of Table 1."""
    test = run.result["test"]
    if name == "total":
        return number(test["loss"])
    if name == "lat":
        return number(test["kl_per_dim" if run.result["objective"] in AVERAGED else "kl"])
    return number(test.get(name))


def sigma_total(test: dict[str, Any], sigma2: float, dimensions: int) -> float | None:
    """(D/2) ln s2 + Rec / (2 s2) + KL: the Total of the sigma rows."""
    rec, kl = number(test.get("rec")), number(test.get("kl"))
    return (
        None
        if rec is None or kl is None
        else dimensions / 2 * math.log(sigma2) + rec / (2 * sigma2) + kl
    )


def implied_sigma2(rec: float, lat: float, total: float, dimensions: int) -> float:
    """The variance with which a Rec and a Lat of the thesis give its Total.

    The Total falls up to the mean squared error and rises above it; the thesis' variance, that of
    the data, lies above.
    """
    from scipy.optimize import brentq

    def excess(sigma2: float) -> float:
        return dimensions / 2 * math.log(sigma2) + rec / (2 * sigma2) + lat - total

    return float(brentq(excess, rec / dimensions, 1.0))


def number(value: object) -> float | None:
    """As a float."""
    return float(value) if isinstance(value, int | float) else None


def scale_of(run: Finished) -> list[str]:
    """Fewer epochs or images than the thesis, or other pixels."""
    setting, found = setting_of(run.data), seen_of(run)
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


def seen_of(run: Finished) -> list[str]:
    """What a run did not see of its data, and what is unusual about these, by its own files."""
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


def settings_of(run: Finished) -> list[str]:
    """Settings other than those that the thesis prints."""
    setting = setting_of(run.data)
    if setting is None:
        return []
    network, schedule, objective = (
        run.config[group] for group in ("network", "schedule", "objective")
    )
    pairs = [
        ("latent", network["latent_dim"], setting.latent),
        ("convolution blocks", sum(network["blocks"]), setting.blocks),
        ("learning rate", run.config["optimizer"]["lr"], LEARNING_RATE),
    ]
    own = run.config.get("data", {}).get("batch_size", BATCH_SIZE)
    batches = (
        []
        if own == BATCH_SIZE
        else [f"batch size {own}, where the thesis' Figure 5 speaks for {BATCH_SIZE}"]
    )
    if "ratio" in schedule:
        pairs += [
            ("ratio", schedule["ratio"], setting.ratio),
            ("aggressive epochs", schedule["epochs"], setting.aggressive),
        ]
    if "beta" in objective:
        pairs += [("beta", objective["beta"], setting.beta)]
    return [
        f"{name} {ours:g}, the thesis' {printed:g}"
        for name, ours, printed in pairs
        if ours != printed
    ] + batches


def rows_of(runs: Iterable[Finished]) -> dict[str, list[Row]]:
    """The rows by data set, both in the order of the thesis.

    Raises:
        RunError: runs of one row differ in more than their seeds, so that they have no mean.
    """
    groups: dict[tuple[str, str], list[Finished]] = {}
    for run in runs:
        groups.setdefault((run.data, run.row), []).append(run)
    rows = [
        Row(name, data, sorted(group, key=lambda run: run.seed))
        for (data, name), group in groups.items()
    ]
    for row in rows:
        check_alike(row)
    ordered = sorted(rows, key=place)
    return {
        data: [row for row in ordered if row.data == data]
        for data in sorted({r.data for r in rows}, key=rank)
    }


def check_alike(row: Row) -> None:
    """Raise a RunError if the runs differ in more than their seeds."""
    first, *others = row.runs
    for other in others:
        if (
            None not in (first.test_digest, other.test_digest)
            and first.test_digest != other.test_digest
        ):
            raise RunError(
                f"{first.folder} and {other.folder} were tested on different images (inventory in their metrics.json): "
                "they are of different rows."
            )
        for name, one, two in material_differences(first.config, other.config):
            if name not in SEEDS:
                raise RunError(
                    f"{first.folder} and {other.folder} differ in more than their seeds ({name}={one} and {two}): "
                    "they are of different rows."
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

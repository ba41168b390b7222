"""The rows of the tables: what runs share that differ only in their seeds."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from reslag_vae.objectives import Rate
from reslag_vae.studies.plan import RESULTS
from reslag_vae.studies.report.caveats import (
    condition_caveats,
    scale_caveats,
    setting_caveats,
)
from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.report.statistics import Estimate, estimate
from reslag_vae.studies.report.thesis import STANDS_FOR, TERMS, table1
from reslag_vae.variants.titles import is_usual, title_of

# Objectives for which the thesis averages Lat over the latent dimensions.
AVERAGED = ("beta", "mmd")


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

    @property
    def place(self) -> str:
        """The folder of the row's files, from that of its study."""
        folder = self.runs[0].folder.parent
        parts = folder.parts[-3 if folder.parts[-3] == RESULTS else -2 :]
        return "".join(f"{part}/" for part in parts)

    def estimate(self, value: Callable[[FinishedRun], float | None]) -> Estimate | None:
        """Return the estimate of a number over the runs; None if a run lacks it."""
        values = [value(run) for run in self.runs]
        known = [number for number in values if number is not None]
        return estimate(known) if len(known) == len(values) else None

    def evaluated_alike(self, group: str) -> bool:
        """Return whether a group of evaluation.json has the same settings in all evaluated runs."""
        found = [run.evaluation_settings(group) for run in self.runs if run.evaluation]
        return all(own == found[0] for own in found)

    def evaluated(
        self, group: str, value: Callable[[FinishedRun], float | None]
    ) -> Estimate | None:
        """Return the estimate of a number of a group of evaluation.json over the runs.

        It is None if a run lacks it, or if they were not evaluated alike.
        """
        return self.estimate(value) if self.evaluated_alike(group) else None

    def term(self, name: str) -> Estimate | None:
        """Return Rec, Lat, MMD or Total of the test split in the thesis' conventions."""
        return self.estimate(lambda run: term_of(run, name))

    def term_on(self, test_set: str, name: str) -> Estimate | None:
        """Return Rec, Lat, MMD or Total of a further test set in the thesis' conventions."""
        if name == "rec" and not self.runs[0].has_mean:
            return None
        return self.estimate(lambda run: run.evaluation_value("thesis", name, test_set))

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
        return self.at_thesis_sigma2(lambda run: run.result["test"])

    def total_at_thesis_sigma2_on(self, test_set: str) -> Estimate | None:
        """The same on a further test set."""
        return self.at_thesis_sigma2(
            lambda run: {
                "rec": run.evaluation_value("thesis", "rec", test_set),
                "kl": run.evaluation_value("yardstick", "kl", test_set),
            }
        )

    def at_thesis_sigma2(self, test: Callable[[FinishedRun], dict[str, Any]]) -> Estimate | None:
        """Return the Total with the variance that solves the thesis' own row.

        Args:
            test: function of a run that returns its Rec and KL by name.
        """
        printed = self.printed
        if self.objective != "sigma_data" or not {"rec", "lat", "total"} <= printed.keys():
            return None
        dimensions = self.runs[0].dimensions
        sigma2 = implied_sigma2(printed["rec"], printed["lat"], printed["total"], dimensions)
        return self.estimate(lambda run: sigma_total(test(run), sigma2, dimensions))

    @property
    def caveats(self) -> list[str]:
        """The ways in which the runs differ from the thesis'.

        A row with any does not compare with the thesis.
        """
        found: list[str] = []
        for run in self.runs:
            found += condition_caveats(run) + scale_caveats(run)
            found += [] if self.axes else setting_caveats(run)
        return list(dict.fromkeys(found))


def term_of(run: FinishedRun, name: str) -> float | None:
    """Return a run's term of Table 1."""
    test = run.result["test"]
    if name == "rec" and not run.has_mean:
        return None  # squared errors of a pixel given those before it
    if name == "total":
        # Without the distortion it is no Total.
        return None if run.result["objective"] == Rate.name else as_float(test["loss"])
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


def has_term(rows: Sequence[Row], term: str) -> bool:
    """Return whether any of the rows has a term, measured or printed."""
    assert term in TERMS
    return any(row.term(term) is not None or term in row.printed for row in rows)

"""The measures by which a study asks whether one row is better than another."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from reslag_vae.likelihoods.gaussian import gaussian_elbo
from reslag_vae.studies.report.finished import FinishedRun
from reslag_vae.studies.report.rows import as_float

OfImages = Callable[[FinishedRun], np.ndarray | None]


class Measure(NamedTuple):
    """A number by which two rows are compared.

    Attributes:
        name: the measure's name in the report.
        higher_is_better: whether a higher value is better.
        of_run: function of a run that returns its value; None if it has none.
        of_images: function of a run that returns the (N,) values of images whose mean the measure
            is, or None if it has none; None for a measure that no single image has.
        settings: function of a run that returns how the measure was taken: that of two runs
            compares only where this is the same; None where all runs take it alike.
        digits: number of digits after the point of a difference.
    """

    name: str
    higher_is_better: bool
    of_run: Callable[[FinishedRun], float | None]
    of_images: OfImages | None = None
    settings: Callable[[FinishedRun], object] | None = None
    digits: int = 2

    def compares(self, first: FinishedRun, second: FinishedRun) -> bool:
        """Return whether the measure was taken of two runs alike."""
        return self.settings is None or self.settings(first) == self.settings(second)


def mean_of(values: OfImages) -> Callable[[FinishedRun], float | None]:
    """Return a function that gives the mean of a run's values of images; None if it has none."""

    def mean(run: FinishedRun) -> float | None:
        found = values(run)
        return None if found is None else float(found.mean())

    return mean


def from_test(name: str) -> Callable[[FinishedRun], float | None]:
    """Return a function that takes a number of the test split from metrics.json."""
    return lambda run: as_float(run.result["test"].get(name))


def distance_from_one(name: str) -> Callable[[FinishedRun], float | None]:
    """Return a function that gives how far from 1 a sharpness in evaluation.json is."""

    def distance(run: FinishedRun) -> float | None:
        found = run.evaluation_value("sharpness", name)
        return None if found is None else abs(1 - found)

    return distance


def distances_from_one(name: str) -> OfImages:
    """Return a function that gives the (N,) values of images whose mean is that distance."""

    def distances(run: FinishedRun) -> np.ndarray | None:
        found = run.evaluated.get(name)
        return None if found is None else np.sign(1 - found.mean()) * (1 - found)

    return distances


def sharpness_settings(run: FinishedRun) -> object:
    """Return what the sharpness of a run's images depends on beside the model."""
    return run.evaluation_settings("sharpness")


def yardstick(run: FinishedRun) -> np.ndarray | None:
    """Return the (N,) ELBO of a run's test images with the run's one global variance.

    Under the likelihood of a mass it is the model's own. It is None if the posterior has no
    density.
    """
    if "kl" not in run.per_image:
        return None
    if "nll" in run.per_image:
        return np.asarray(-run.per_image["nll"] - run.per_image["kl"], dtype=np.float64)
    sigma2 = float(run.result["yardstick_sigma2"])
    constant = gaussian_elbo(0.0, 0.0, sigma2, run.dimensions)
    squares = np.asarray(run.per_image["rec"], dtype=np.float64)
    return np.asarray(constant - squares / (2 * sigma2) - run.per_image["kl"])


def bits_per_dim(run: FinishedRun) -> np.ndarray | None:
    """Return the (N,) bits/dim of the yardstick of a run's test images, up to a constant."""
    nats = yardstick(run)
    return None if nats is None else -nats / (run.dimensions * math.log(2))


def is_mass(run: FinishedRun) -> object:
    """Return whether a run's likelihood is a mass: a density's nats do not compare with one's."""
    return run.is_mass


def rec(run: FinishedRun) -> np.ndarray | None:
    """Return the (N,) sums of squared errors of a run's test images; None where they are none."""
    if not run.has_mean or "rec" not in run.per_image:
        return None
    return np.asarray(run.per_image["rec"], dtype=np.float64)


def importance_weighted_bound(run: FinishedRun) -> np.ndarray | None:
    """Return the (N,) importance-weighted bounds of the images that an evaluation takes."""
    return run.evaluated.get("importance_weighted_bound")


def bound_settings(run: FinishedRun) -> object:
    """Return what a run's importance-weighted bound depends on beside the model."""
    return [run.is_mass, run.evaluation_settings("likelihood")]


# By name in evaluation.json. That of the originals is 1: less is blurred, more is noise.
SHARPNESS = {
    "sharpness_reconstructions": "sharpness, reconstructions",
    "coherence_reconstructions": "coherence, reconstructions",
    "sharpness_samples": "sharpness, samples",
}

# By name, as in `by` of a question.
MEASURES = {
    "elbo": Measure("ELBO, yardstick", True, mean_of(yardstick), yardstick, is_mass),
    "rec": Measure("Rec", False, mean_of(rec), rec),
    "importance_weighted_bound": Measure(
        "IW bound",
        True,
        mean_of(importance_weighted_bound),
        importance_weighted_bound,
        bound_settings,
    ),
    "mutual_information": Measure("mutual information", True, from_test("mutual_information")),
    "active_units": Measure("active units", True, from_test("active_units")),
    **{
        name: Measure(
            f"{title}: distance from 1",
            False,
            distance_from_one(name),
            distances_from_one(name),
            sharpness_settings,
            digits=3,
        )
        for name, title in SHARPNESS.items()
    },
}

USUAL = ("elbo", "rec")

# Of a question of equivalence.
BITS = Measure("bits/dim", False, mean_of(bits_per_dim), bits_per_dim, is_mass, digits=4)

"""What a few runs say of a method, and what many images say of two models."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEVEL = 0.95

# Of the intervals of a test of equivalence: two one-sided tests at 5% (Schuirmann 1987,
# https://doi.org/10.1007/BF01068419).
EQUIVALENCE_LEVEL = 0.90
REPLICATES = 1000
SEED = 0


class Estimate(NamedTuple):
    """A mean over runs that differ in their seeds.

    Attributes:
        mean: of the runs.
        error: standard error of the mean; None of a single run.
        runs: that it is of.
    """

    mean: float
    error: float | None
    runs: int

    @property
    def spread_of_one(self) -> float | None:
        """Half the width of the interval in which one more run lies with 95%; None of a single run.

        A prediction interval: t · s · sqrt(1 + 1/n), of n runs with standard deviation s that are
        normal.
        """
        if self.error is None:
            return None
        deviation = self.error * np.sqrt(self.runs)
        return float(half_width(self.runs, LEVEL) * deviation * np.sqrt(1 + 1 / self.runs))


class Interval(NamedTuple):
    """A difference, and where it lies with 95%, or with 90% where it is asked whether two methods are equivalent.

    Attributes:
        difference: the estimate.
        low: end of the interval.
        high: end of the interval.
    """

    difference: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the difference has a sign."""
        return self.low > 0 or self.high < 0

    def within(self, margin: float) -> bool:
        """Whether the difference is smaller than a margin, whichever its sign."""
        return -margin < self.low and self.high < margin

    def beyond(self, margin: float) -> bool:
        """Whether the difference is larger than a margin, whichever its sign."""
        return self.low > margin or self.high < -margin


def estimate(values: Sequence[float]) -> Estimate:
    """Of one value from each run."""
    from scipy import stats

    # From the first one on: equal values have no spread, not that of rounding.
    differences = np.subtract(values, values[0])
    error = float(stats.sem(differences)) if len(values) > 1 else None
    return Estimate(float(np.mean(values)), error, len(values))


def bootstrap(differences: np.ndarray, level: float = LEVEL) -> Interval:
    """The mean of paired differences, and its percentile interval over images drawn with replacement.

    Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13. Always the same
    replicates.

    Args:
        differences: (N,) of the same images under two models.
        level: of the interval.
    """
    # scipy.stats.bootstrap draws the same replicates, but refuses a single image.
    generator, count = np.random.default_rng(SEED), len(differences)
    values = np.asarray(differences, dtype=np.float64)
    means = [values[generator.integers(count, size=count)].mean() for _ in range(REPLICATES)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def over_seeds(differences: Sequence[float], level: float = LEVEL) -> Interval | None:
    """The mean of one difference from each seed, and Student's interval of it; None of a single one."""
    found = estimate(differences)
    if found.error is None:
        return None
    # Not the interval that scipy.stats.t has, which is undefined where all values are equal.
    half = half_width(found.runs, level) * found.error
    return Interval(found.mean, found.mean - half, found.mean + half)


def half_width(runs: int, level: float) -> float:
    """Half the width of Student's interval of a mean over runs, in standard errors of the mean."""
    from scipy import stats

    return float(stats.t.ppf(0.5 + level / 2, runs - 1))

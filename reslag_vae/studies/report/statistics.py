"""Statistics of a few runs of a method, and of many images under two models."""

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
        mean: mean of the runs.
        error: standard error of the mean; None for a single run.
        runs: number of runs.
    """

    mean: float
    error: float | None
    runs: int

    @property
    def spread_of_one(self) -> float | None:
        """Half the width of the 95% prediction interval for one more run; None for a single run.

        It is t · s · sqrt(1 + 1/n) for n normally distributed runs with standard deviation s.
        """
        if self.error is None:
            return None
        deviation = self.error * np.sqrt(self.runs)
        return float(half_width(self.runs, LEVEL) * deviation * np.sqrt(1 + 1 / self.runs))


class Interval(NamedTuple):
    """A difference with its confidence interval.

    The level is 95%, or 90% for a question of equivalence.

    Attributes:
        difference: estimate of the difference.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    difference: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero: the difference has a sign."""
        return self.low > 0 or self.high < 0

    def within(self, margin: float) -> bool:
        """Return whether the whole interval lies within a margin around zero."""
        return -margin < self.low and self.high < margin

    def beyond(self, margin: float) -> bool:
        """Return whether the whole interval lies beyond a margin, on either side of zero."""
        return self.low > margin or self.high < -margin


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean of one value from each run, with its standard error."""
    from scipy import stats

    # From the first one on: equal values have no spread, not that of rounding.
    differences = np.subtract(values, values[0])
    error = float(stats.sem(differences)) if len(values) > 1 else None
    return Estimate(float(np.mean(values)), error, len(values))


def bootstrap(differences: np.ndarray, level: float = LEVEL) -> Interval:
    """Return the mean of paired differences with its bootstrap percentile interval over images.

    Images are drawn with replacement (Efron and Tibshirani 1993, An Introduction to the Bootstrap,
    chapter 13). The replicates are always the same.

    Args:
        differences: (N,) differences of the same images under two models.
        level: level of the interval.
    """
    # scipy.stats.bootstrap draws the same replicates, but refuses a single image.
    generator, count = np.random.default_rng(SEED), len(differences)
    values = np.asarray(differences, dtype=np.float64)
    means = [values[generator.integers(count, size=count)].mean() for _ in range(REPLICATES)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def over_seeds(differences: Sequence[float], level: float = LEVEL) -> Interval | None:
    """Return the mean of one difference from each seed, with Student's interval.

    It is None for a single seed.
    """
    found = estimate(differences)
    if found.error is None:
        return None
    # Not the interval that scipy.stats.t has, which is undefined where all values are equal.
    half = half_width(found.runs, level) * found.error
    return Interval(found.mean, found.mean - half, found.mean + half)


def half_width(runs: int, level: float) -> float:
    """Return half the width of Student's interval of a mean, in standard errors of the mean.

    Args:
        runs: number of runs that the mean is over.
        level: level of the interval.
    """
    from scipy import stats

    return float(stats.t.ppf(0.5 + level / 2, runs - 1))

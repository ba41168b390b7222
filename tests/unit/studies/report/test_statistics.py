"""Means over seeds, and intervals."""

import numpy as np
import pytest
from scipy import stats

from reslag_vae.studies.report.statistics import Estimate, Interval, bootstrap, estimate, over_seeds


def test_mean_and_standard_error() -> None:
    values = [1.0, 2.0, 4.0]
    found = estimate(values)
    assert found == Estimate(pytest.approx(7 / 3), pytest.approx(stats.sem(values)), 3)
    assert estimate([5.0]) == Estimate(5.0, None, 1)
    assert estimate([0.2, 0.2, 0.2]).error == 0


def test_one_more_run_lies_within_the_prediction_interval_as_often_as_it_should() -> None:
    generator = np.random.default_rng(0)
    within = []
    for _ in range(4000):
        *known, new = generator.normal(3, 2, size=4)
        own = estimate(known)
        assert own.spread_of_one is not None
        within.append(abs(new - own.mean) <= own.spread_of_one)
    assert np.mean(within) == pytest.approx(0.95, abs=0.012)
    assert estimate([5.0]).spread_of_one is None


def test_the_bootstrap_of_a_mean_is_nearly_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(0.3, 2, size=5000)
    found, half = bootstrap(values), 1.96 * stats.sem(values)
    assert found.difference == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.1 * half
    )
    assert bootstrap(values) == found


def test_a_constant_difference_has_no_width() -> None:
    assert bootstrap(np.full(10, -2.5)) == Interval(-2.5, -2.5, -2.5)


def test_the_interval_over_seeds_is_students() -> None:
    values = [1.0, 1.5, 2.5]
    found = over_seeds(values)
    reference = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    assert over_seeds([1.0]) is None


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(-1, 1, False), (0.1, 1, True), (-2, -0.1, True), (0, 1, False)]
)
def test_a_difference_has_a_sign_if_its_interval_has(
    low: float, high: float, expected: bool
) -> None:
    assert Interval((low + high) / 2, low, high).excludes_zero is expected

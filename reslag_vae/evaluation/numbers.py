"""Measured numbers, each with its unit and how it was measured."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from torch import Tensor


class Number(NamedTuple):
    """A measured number: one entry of evaluation.json.

    Attributes:
        value: value in its unit; None where the model or the data have no such number.
        unit: unit of the value, such as "nats per image".
        protocol: how it was measured: split, number of images and of samples, seed, and whatever
            else the value depends on; the reason where there is no value.
        error: standard error of the value over the images, or standard deviation over the
            classifiers that it is the mean of; None where it has none.
    """

    value: float | None
    unit: str
    protocol: str
    error: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the number as JSON holds it, without `error` where there is none."""
        return {
            name: value
            for name, value in self._asdict().items()
            if name != "error" or value is not None
        }


Numbers = dict[str, Number]

NO_DENSITY = "the posterior is a point, without a density"
NO_LATENTS = "the model has no latents"
NO_CLASSES = "the images have no classes"


def standard_error(values: Tensor) -> float | None:
    """Return the standard error of the mean of (N,) values, computed in float64; None of one."""
    count = len(values)
    return float(values.double().std() / math.sqrt(count)) if count > 1 else None


def mean_over_images(values: Tensor, unit: str, protocol: str) -> Number:
    """Return the mean of values with its standard error.

    Args:
        values: (N,) values, one for each image.
        unit: unit of the values.
        protocol: how they were measured.
    """
    return Number(float(values.double().mean()), unit, protocol, standard_error(values))


def mean_over_classifiers(values: Sequence[float], unit: str, protocol: str) -> Number:
    """Return the mean of values with their standard deviation, which one value does not have.

    Args:
        values: the values by each classifier.
        unit: unit of the values.
        protocol: how they were measured.
    """
    error = stdev(values) if len(values) > 1 else None
    return Number(fmean(values), unit, protocol, error)


def missing(unit: str, why: str) -> Number:
    """Return a number without a value, and why it has none."""
    return Number(None, unit, why)


def format_number(value: float | None) -> str:
    """Return five significant digits of a value, or a dash where there is none."""
    return "-" if value is None else f"{value:.5g}"


def format_measured(number: Number) -> str:
    """Return a number, with two significant digits of its error; a dash without a value."""
    value = format_number(number.value)
    # Through a float, or 850 would be 8.5e+02.
    return value if number.error is None else f"{value} ± {float(f'{number.error:.2g}'):g}"

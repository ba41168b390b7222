"""A measured number, and how it was measured."""

import math
from typing import Any, NamedTuple

from torch import Tensor


class Number(NamedTuple):
    """One entry of evaluation.json.

    Attributes:
        value: in its unit; None where the model or the data do not have it.
        unit: of the value, such as "nats per image".
        protocol: split, number of images and of samples, seed, and whatever else makes the number
            what it is; where there is no value, why.
        error: standard error of the value over the images.
    """

    value: float | None
    unit: str
    protocol: str
    error: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; no `error` where there is none."""
        return {
            name: value
            for name, value in self._asdict().items()
            if name != "error" or value is not None
        }


Numbers = dict[str, Number]

NO_DENSITY = "the posterior is a point, without a density"


def mean_over_images(values: Tensor, unit: str, protocol: str) -> Number:
    """The mean of (N,) values, with its standard error."""
    error = float(values.double().std() / math.sqrt(len(values))) if len(values) > 1 else None
    return Number(float(values.double().mean()), unit, protocol, error)


def missing(unit: str, why: str) -> Number:
    """A number that cannot be had."""
    return Number(None, unit, why)


def format_number(value: float | None) -> str:
    """Five significant digits, or a dash where the variant has no such number."""
    return "-" if value is None else f"{value:.5g}"

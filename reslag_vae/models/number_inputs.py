"""Counts, factors and generators that a user gives, checked with clear errors."""

import operator
from numbers import Real
from typing import Any

import torch

# Samples that are drawn at a time, at most: more would not fit into memory.
MOST_SAMPLES = 1_000_000

# At which images are finite all the same.
HIGHEST_TEMPERATURE = 1e6


def check_count(name: str, count: Any, most: int = MOST_SAMPLES) -> int:
    """Return a number of things as Python's own, after a check that it is at least 1.

    Args:
        name: name of the argument.
        count: value of the argument.
        most: largest number.

    Raises:
        ValueError: the value is not a whole number from 1 to `most`.
    """
    return check_whole(name, count, 1, most)


def check_whole(name: str, value: Any, least: int, most: int) -> int:
    """Return a whole number, such as numpy's, as Python's own.

    Raises:
        ValueError: it is none from `least` to `most`.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except (TypeError, ValueError):  # what is no number at all, and a tensor of several
        number = None
    if number is None or not least <= number <= most:
        raise ValueError(f"{name}={value}: must be a whole number from {least} to {most}.")
    return number


def check_temperature(value: Any) -> float:
    """Return a factor of standard deviations.

    Raises:
        ValueError: it is no number from 0 to 1,000,000.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 <= float(value) <= HIGHEST_TEMPERATURE:
        raise ValueError(
            f"temperature={value}: must be a number from 0 to {HIGHEST_TEMPERATURE:,.0f}."
        )
    return float(value)


def check_generator(generator: Any) -> None:
    """Refuse what is neither None nor a generator on the CPU.

    Raises:
        ValueError: it is neither.
    """
    own = isinstance(generator, torch.Generator) and generator.device.type == "cpu"
    if generator is not None and not own:
        raise ValueError(f"generator={generator}: must be null or a torch.Generator on the CPU.")

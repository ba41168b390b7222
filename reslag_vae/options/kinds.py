"""Kinds of option values, and the error for a wrong one; free of PyTorch."""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

# Characters of a value that a message shows.
SHOWN = 60


class Kind(NamedTuple):
    """A set of values that an option may have.

    Attributes:
        wanted: the values in words, as they follow "must be".
        has: predicate that tells whether a value is in the set.
    """

    wanted: str
    has: Callable[[Any], bool]

    def require(self, name: str, value: Any) -> None:
        """Refuse a value that is not in this set.

        Args:
            name: name of the option, as on the command line.
            value: value of the option.

        Raises:
            ValueError: it is not; the message names the option, the value and what is wanted.
        """
        if not self.has(value):
            raise ValueError(f"{name}={shown(value)}: must be {self.wanted}.")


def shown(value: Any) -> str:
    """Return a value as an error message shows it: on one line and of limited length."""
    is_yaml_word = value is None or type(value) is bool
    text = {None: "null", True: "true", False: "false"}[value] if is_yaml_word else str(value)
    hidden = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
    line = re.sub(hidden, lambda found: ascii(found[0])[1:-1], text)
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."


def whole(least: int, most: int) -> Kind:
    """Return the kind of whole numbers between two bounds; `true` and 3.0 are not whole."""
    return Kind(
        f"a whole number from {least} to {most}",
        lambda value: type(value) is int and least <= value <= most,
    )


def real(least: float, most: float, exclusive: bool = False) -> Kind:
    """Return the kind of finite numbers between two bounds, which `exclusive` leaves out."""

    def has(value: Any) -> bool:
        if type(value) not in (int, float) or not math.isfinite(value):
            return False
        return bool(least < value < most if exclusive else least <= value <= most)

    bounds = f"above {least:g} and below {most:g}" if exclusive else f"from {least:g} to {most:g}"
    return Kind(f"a number {bounds}", has)


def word(*words: str) -> Kind:
    """Return the kind whose values are the given words."""
    return Kind(
        f"one of {', '.join(words)}", lambda value: isinstance(value, str) and value in words
    )


def text(most: int = 4096) -> Kind:
    """Return the kind of texts that are not empty and at most `most` characters long."""
    return Kind(
        f"a text of 1 to {most:,} characters",
        lambda value: isinstance(value, str) and 0 < len(value) <= most and "\0" not in value,
    )


def listed(kind: Kind, fewest: int, most: int) -> Kind:
    """Return the kind of lists that hold `fewest` to `most` values of a kind."""
    count = f"{fewest}" if fewest == most else f"{fewest} to {most}"

    def has(value: Any) -> bool:
        return (
            isinstance(value, list | tuple)
            and fewest <= len(value) <= most
            and all(map(kind.has, value))
        )

    return Kind(f"a list of {count} values, each {kind.wanted}", has)


def either(*kinds: Kind) -> Kind:
    """Return the kind that has the values of several kinds."""
    return Kind(
        ", or ".join(kind.wanted for kind in kinds),
        lambda value: any(kind.has(value) for kind in kinds),
    )


BOOLEAN = Kind("true or false", lambda value: type(value) is bool)
NULL = Kind("null", lambda value: value is None)

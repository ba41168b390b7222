"""What the value of an option may be, and how a wrong one is told; free of PyTorch, before which it is asked."""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

# Letters of a value that a message shows.
SHOWN = 60


class Kind(NamedTuple):
    """A set of values.

    Attributes:
        wanted: the values in words, after "must be".
        has: whether a value is one of them.
    """

    wanted: str
    has: Callable[[Any], bool]

    def require(self, name: str, value: Any) -> None:
        """Refuse a value that is none of these.

        Args:
            name: of the option, as on the command line.
            value: that it was given.

        Raises:
            ValueError: naming the option, its value and what is wanted.
        """
        if not self.has(value):
            raise ValueError(f"{name}={shown(value)}: must be {self.wanted}.")


def shown(value: Any) -> str:
    """A value as a message shows it: in one line, and not too long."""
    text = (
        {None: "null", True: "true", False: "false"}.get(value)
        if value is None or type(value) is bool
        else None
    )
    line = re.sub(
        r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]",
        lambda found: ascii(found[0])[1:-1],
        text or str(value),
    )
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."


def whole(least: int, most: int) -> Kind:
    """Whole numbers between two bounds; neither true nor 3.0 is one."""
    return Kind(
        f"a whole number from {least} to {most}",
        lambda value: type(value) is int and least <= value <= most,
    )


def real(least: float, most: float, exclusive: bool = False) -> Kind:
    """Finite numbers between two bounds, which belong to them unless they are `exclusive`."""

    def has(value: Any) -> bool:
        if type(value) not in (int, float) or not math.isfinite(value):
            return False
        return bool(least < value < most if exclusive else least <= value <= most)

    between = f"between {least:g} and {most:g}" if exclusive else f"from {least:g} to {most:g}"
    return Kind(f"a number {between}", has)


def word(*words: str) -> Kind:
    """One of some words."""
    return Kind(
        f"one of {', '.join(words)}", lambda value: isinstance(value, str) and value in words
    )


def text(most: int = 4096) -> Kind:
    """Text that is not empty."""
    return Kind(
        "a text",
        lambda value: isinstance(value, str) and 0 < len(value) <= most and "\0" not in value,
    )


def listed(kind: Kind, fewest: int, most: int) -> Kind:
    """Lists of some values of a kind."""
    count = f"{fewest}" if fewest == most else f"{fewest} to {most}"

    def has(value: Any) -> bool:
        return (
            isinstance(value, list | tuple)
            and fewest <= len(value) <= most
            and all(map(kind.has, value))
        )

    return Kind(f"a list of {count} values, each {kind.wanted}", has)


def either(*kinds: Kind) -> Kind:
    """The values of several kinds."""
    return Kind(
        ", or ".join(kind.wanted for kind in kinds),
        lambda value: any(kind.has(value) for kind in kinds),
    )


BOOLEAN = Kind("true or false", lambda value: type(value) is bool)
NULL = Kind("null", lambda value: value is None)

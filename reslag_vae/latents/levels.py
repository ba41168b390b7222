"""The names of levels of latents, in metrics and evaluations."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

# Of a model of two levels of codes.
LEVELS = ("top", "bottom")


def by_level(name: str, values: Sequence[T]) -> dict[str, T]:
    """Return values of the levels of codes by name, top first.

    Of one level the name is that of the value; of two, `<name>_top` and `<name>_bottom`.
    """
    names = [name] if len(values) == 1 else [f"{name}_{own}" for own in LEVELS[: len(values)]]
    return dict(zip(names, values, strict=True))


def numbered(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return values of levels by name, `<name>_level_1` for the top; none of a single level."""
    if len(values) < 2:
        return {}
    return {f"{name}_level_{level}": value for level, value in enumerate(values, start=1)}

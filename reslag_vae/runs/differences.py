"""The settings in which two runs differ, from plain trees of their configurations."""

from collections.abc import Iterator
from typing import Any

# The callbacks that watch a run and change nothing of it.
WATCHING = (
    "codes",
    "collapse",
    "curves",
    "duration",
    "images",
    "metrics_file",
    "progress",
    "report",
    "sigma2",
    "steps",
    "throughput",
)

# What a run's result does not depend on.
IMMATERIAL = (
    "study",
    "resume",
    "trust",
    "changed_data",
    "logger",
    *(f"callbacks.{name}" for name in WATCHING),
    "data.root",
    "recipe.pixels",  # stands in likelihood.pixels where it is used
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.compile",
)

# What runs that differ in their seed alone differ in.
SEEDS = ("seed", "data.seed", "callbacks.seed.seed")


def differences(first: Any, second: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted name and both values of every option in which two plain trees differ.

    Lists are compared whole.
    """
    if isinstance(first, dict) and isinstance(second, dict):
        for key in first | second:
            yield from differences(
                first.get(key), second.get(key), f"{path}.{key}" if path else str(key)
            )
    elif first != second:
        yield path, first, second


def material_differences(first: Any, second: Any) -> list[tuple[str, Any, Any]]:
    """Return the differences on which a result depends."""
    return [found for found in differences(first, second) if not is_under(found[0], IMMATERIAL)]


def is_under(name: str, paths: tuple[str, ...]) -> bool:
    """Return whether a dotted name is one of some paths, or lies within one."""
    return any(name == path or name.startswith(f"{path}.") for path in paths)

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
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.compile",
)

# Options that only give another one its value, and do nothing in a run that lacks that one.
USED_AS = {
    "recipe.aggressive_epochs": "schedule.epochs",
    "recipe.pixels": "likelihood.pixels",
}

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
    found = list(differences(first, second))
    names = {name for name, _, _ in found}
    return [
        own
        for own in found
        if not is_under(own[0], IMMATERIAL) and USED_AS.get(own[0], own[0]) in names
    ]


def is_under(name: str, paths: tuple[str, ...]) -> bool:
    """Return whether a dotted name is one of some paths, or lies within one."""
    return any(name == path or name.startswith(f"{path}.") for path in paths)

"""Runs of earlier versions: where what their files name is now."""

from typing import Any

# Packages whose exported classes have moved, as of version 0.1.
MOVED = {
    "reslag_vae.models": "reslag_vae.variants",
    "reslag_vae.schedules": "reslag_vae.training.schedules",
    "reslag_vae.optimizers": "reslag_vae.training.optimizers",
    "reslag_vae.callbacks": "reslag_vae.training.callbacks",
    "reslag_vae.tracking": "reslag_vae.runs.tracking",
}


def migrated(tree: Any) -> Any:
    """A configuration of plain values, or a part of one, with today's names of the classes that it builds."""
    if isinstance(tree, list):
        return [migrated(branch) for branch in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: current(value) if name == "_target_" and isinstance(value, str) else migrated(value)
        for name, value in tree.items()
    }


def current(target: str) -> str:
    """Today's name of a class by its dotted name then."""
    package, _, name = target.rpartition(".")
    return f"{MOVED[package]}.{name}" if package in MOVED else target

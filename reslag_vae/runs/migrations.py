"""Runs of earlier versions, brought into today's form where they are read."""

from typing import Any

from reslag_vae.runs import version_0_1
from reslag_vae.runs.plain_values import is_final

# Packages whose exported classes have moved, as of version 0.1.
MOVED = {
    "reslag_vae.models": "reslag_vae.variants",
    "reslag_vae.schedules": "reslag_vae.training.schedules",
    "reslag_vae.optimizers": "reslag_vae.training.optimizers",
    "reslag_vae.callbacks": "reslag_vae.training.callbacks",
    "reslag_vae.tracking": "reslag_vae.runs.tracking",
}


def migrated_config(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a run's configuration of plain values in today's form."""
    if not version_0_1.is_old_model(tree.get("model")):
        return tree
    return version_0_1.config(with_new_names(tree))


def migrated_model(node: Any) -> Any:
    """Return the node of a model, in plain values, in today's form."""
    if not version_0_1.is_old_model(node):
        return node
    return version_0_1.model(with_new_names(node))


def migrated_checkpoint(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint's plain containers and tensors in today's form.

    One that does not say in plain values of which model it is stays as it is.
    """
    parameters = checkpoint.get("hyper_parameters")
    node = parameters.get("model") if isinstance(parameters, dict) else None
    if not isinstance(parameters, dict) or not version_0_1.is_old_model(node):
        return checkpoint
    if not is_final(node):
        return checkpoint
    new: dict[str, Any] = {"hyper_parameters": parameters | {"model": migrated_model(node)}}
    if isinstance(checkpoint.get("state_dict"), dict):
        new["state_dict"] = version_0_1.state_dict(checkpoint["state_dict"])
    if isinstance(checkpoint.get("progress"), dict):
        new["progress"] = version_0_1.progress(checkpoint["progress"])
    return checkpoint | new


def with_new_names(tree: Any) -> Any:
    """Return plain values with today's names of the classes that they build."""
    if isinstance(tree, list):
        return [with_new_names(branch) for branch in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: new_name(value)
        if name == "_target_" and isinstance(value, str)
        else with_new_names(value)
        for name, value in tree.items()
    }


def new_name(target: str) -> str:
    """Return today's name of a class by its dotted name then."""
    package, _, name = target.rpartition(".")
    return f"{MOVED[package]}.{name}" if package in MOVED else target

"""The description of a model in plain values, from which it can be built again."""

import dataclasses
import importlib
import numbers
from typing import Any

from torch import nn

from reslag_vae._runtime.described import Described, arguments_of
from reslag_vae.runs.config import MODEL_MODULES


def node_of(value: Any) -> Any:
    """Return what an object was made of as a node of a configuration, as `instantiate` reads it.

    A module of the user's own that is none of this package's parts is named by its class alone: a
    file cannot hold how it was made.

    Args:
        value: a part of a model, the whole one, settings, or an argument of one of these.

    Raises:
        ValueError: it was made with something that a file of plain values cannot hold.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, list | tuple):
        return [node_of(part) for part in value]
    if isinstance(value, Described):
        return {"_target_": public_name(type(value))} | {
            name: node_of(argument) for name, argument in arguments_of(value).items()
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return {"_target_": public_name(type(value))} | {
            name: node_of(getattr(value, name)) for name in fields
        }
    if isinstance(value, nn.Module):
        return {"_target_": public_name(type(value))}
    raise ValueError(f"{type(value).__name__}: a file of plain values cannot hold one.")


def system_node(system: Any) -> dict[str, Any]:
    """Return the node of a variant: its class, and what it was made of.

    Args:
        system: variant, with a model, an objective, a schedule and the settings of an optimizer.

    Raises:
        ValueError: it was made with something that a file of plain values cannot hold.
    """
    parts = ("model", "objective", "schedule", "optimizer")
    return {"_target_": public_name(type(system))} | {
        name: node_of(getattr(system, name)) for name in parts
    }


def public_name(kind: type) -> str:
    """Return the dotted name of a class: that of the module which exports it, if it is ours."""
    for module in MODEL_MODULES:
        room = importlib.import_module(module) if kind.__module__.startswith(module) else None
        if kind.__name__ in getattr(room, "__all__", ()):
            return f"{module}.{kind.__name__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def unmade(value: Any) -> str | None:
    """Return the class of the first module that `node_of` can only name; None if there is none."""
    if isinstance(value, Described):
        found = (unmade(argument) for argument in arguments_of(value).values())
        return next((name for name in found if name), None)
    return public_name(type(value)) if isinstance(value, nn.Module) else None

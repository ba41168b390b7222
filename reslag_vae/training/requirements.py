"""The check that the parts of a system go together: what one requires, another provides."""

import importlib
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE

# Groups of the command line, and the modules whose exported classes are their choices.
CHOICES = {
    "network": "reslag_vae.networks",
    "posterior": "reslag_vae.latents",
    "prior": "reslag_vae.latents",
    "likelihood": "reslag_vae.likelihoods",
    "objective": "reslag_vae.objectives",
    "schedule": "reslag_vae.training.schedules",
}


def check_requirements(system: "BaseVAE") -> None:
    """Refuse a system whose parts do not go together.

    Raises:
        ValueError: the variant or a part requires a capability that no part provides. The message
            names the choices that provide it, and those that do not require it.
    """
    parts = system.parts()
    provided: set[str] = set()
    for part in parts.values():
        provided |= getattr(part, "provides", frozenset())
    # The rule for sigma first: it says which of the objectives will do.
    for missing in sorted(system.requires - provided, reverse=True):
        raise ValueError(f"model={system.name} does not take {alternatives(system, missing)}.")
    for group, part in parts.items():
        for missing in sorted(getattr(part, "requires", frozenset()) - provided):
            raise ValueError(
                f"{group}={chosen(system, group)} does not take {alternatives(system, missing)}"
                f"{others(group, part, missing)}."
            )


def chosen(system: "BaseVAE", group: str) -> str:
    """Return the choice of a group of the command line that makes a system's part."""
    name: str = system.preset if group == "objective" else system.parts()[group].name
    return name


def alternatives(system: "BaseVAE", missing: str) -> str:
    """Return, in words, the choice that lacks a capability, and those that provide it."""
    for group, module in CHOICES.items():
        names = list(choices_providing(module, missing))
        if names:
            return f"{group}={chosen(system, group)}; it takes {group}={', '.join(names)}"
    return f"these parts: none of them provides {missing}"


def others(group: str, part: Any, missing: str) -> str:
    """Return, in words, the choices of a part's group that do without a capability; "" if none do."""
    if group not in CHOICES:
        return ""
    base = next((kind for kind in type(part).__mro__ if inspect.isabstract(kind)), type(part))
    names = [
        kind.name
        for kind in exported(CHOICES[group])
        if issubclass(kind, base) and kind is not type(part) and missing not in kind.requires
    ]
    return f", or choose {group}={', '.join(names)}" if names else ""


def choices_providing(module: str, capability: str) -> Iterator[str]:
    """Yield the names of a module's exported classes that provide a capability."""
    for kind in exported(module):
        if capability in getattr(kind, "provides", ()):
            yield kind.name


def exported(module: str) -> list[Any]:
    """Return the exported classes of a module that are choices on the command line."""
    room = importlib.import_module(module)
    kinds = [getattr(room, name) for name in room.__all__]
    return [kind for kind in kinds if "name" in vars(kind)]

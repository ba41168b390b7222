"""The check that the parts of a system go together: what one requires, another provides."""

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE

# Groups of the command line, and the modules whose exported classes are their choices.
CHOICES = {
    "network": "reslag_vae.networks",
    "posterior": "reslag_vae.latents",
    "likelihood": "reslag_vae.likelihoods",
    "objective": "reslag_vae.objectives",
    "schedule": "reslag_vae.training.schedules",
}


def check_requirements(system: "BaseVAE") -> None:
    """Refuse a system whose parts do not go together.

    Raises:
        ValueError: the variant or the objective requires a capability that no part provides. The
            message names the choices that provide it.
    """
    parts = system.parts()
    provided: set[str] = set()
    for part in parts.values():
        provided |= getattr(part, "provides", frozenset())
    objective = parts["objective"]
    for who, required in (
        (f"model={system.name}", system.requires),
        (f"objective={system.preset}", objective.requires),
    ):
        # The rule for sigma first: it says which of the objectives will do.
        for missing in sorted(required - provided, reverse=True):
            raise ValueError(f"{who} does not take {alternatives(system, missing)}.")


def alternatives(system: "BaseVAE", missing: str) -> str:
    """Return, in words, the choice that lacks a capability, and those that provide it."""
    for group, module in CHOICES.items():
        names = list(choices_providing(module, missing))
        if names:
            chosen = system.preset if group == "objective" else system.parts()[group].name
            return f"{group}={chosen}; it takes {group}={', '.join(names)}"
    return f"these parts: none of them provides {missing}"


def choices_providing(module: str, capability: str) -> Iterator[str]:
    """Yield the names of a module's exported classes that provide a capability."""
    room: Any = importlib.import_module(module)
    for exported in room.__all__:
        kind = getattr(room, exported)
        if capability in getattr(kind, "provides", ()) and "name" in vars(kind):
            yield kind.name

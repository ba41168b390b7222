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
    """Return the choice that does not provide something, and what the user may choose instead."""
    for group, module in CHOICES.items():
        names = choices_providing(group, module, missing)
        if not names:
            continue
        chosen = system.preset if group == "objective" else system.parts()[group].name
        taken = [name for name in names if is_taken(system, group, module, name)]
        if not taken:
            others = "".join(f"objective={name}, " for name in objectives_without(system, missing))
            return (
                f"{group}={chosen}, and model={system.name} takes no other; choose {others}or "
                "another model"
            )
        return f"{group}={chosen}; it takes {group}={', '.join(taken)}"
    return f"these parts: none of them provides {missing}"


def objectives_without(system: "BaseVAE", capability: str) -> Iterator[str]:
    """Yield the other objectives that the variant takes and that do not require a capability."""
    module, chosen = CHOICES["objective"], system.parts()["objective"].name
    room: Any = importlib.import_module(module)
    for exported in room.__all__:
        kind = getattr(room, exported)
        if "name" not in vars(kind) or kind.name == chosen or capability in kind.requires:
            continue
        if is_taken(system, "objective", module, kind.name):
            yield kind.name


def is_taken(system: "BaseVAE", group: str, module: str, name: str) -> bool:
    """Return whether a choice of a group provides what the variant requires of that group."""
    required = [choices_providing(group, module, own) for own in system.requires]
    return all(name in names for names in required if names)


def choices_providing(group: str, module: str, capability: str) -> list[str]:
    """Return the choices of a group that provide a capability.

    The ELBO has a choice of `objective=` for each rule for sigma, beside `objective=elbo`.
    """
    names = list(providing(module, capability))
    if group == "objective" and "elbo" in names:
        names += providing(CHOICES["likelihood"], "sigma_rule")
    return names


def providing(module: str, capability: str) -> Iterator[str]:
    """Yield the names of a module's exported classes that provide a capability."""
    room: Any = importlib.import_module(module)
    for exported in room.__all__:
        kind = getattr(room, exported)
        if capability in getattr(kind, "provides", ()) and "name" in vars(kind):
            yield kind.name

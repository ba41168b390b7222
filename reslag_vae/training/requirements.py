"""The check that the parts of a system go together: what one requires, another provides."""

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from reslag_vae.models import GenerativeModel

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE

# Groups of the command line: the module that exports their choices, and the classes of these. The
# rules for sigma name their Gaussians.
CHOICES = {
    "network": ("reslag_vae.networks", ("Network",)),
    "posterior": ("reslag_vae.latents", ("Posterior",)),
    "prior": ("reslag_vae.latents", ("Prior",)),
    "likelihood": ("reslag_vae.likelihoods", ("Likelihood", "VarianceRule")),
    "objective": ("reslag_vae.objectives", ("Objective",)),
    "schedule": ("reslag_vae.training.schedules", ("Schedule",)),
}

# What variants provide, and no part: the variants.
OF_VARIANTS = {"all_but_the_prior_fixed": "fitted_prior, code_prior"}


def check_requirements(system: "BaseVAE") -> None:
    """Refuse a system whose parts do not go together.

    Raises:
        ValueError: the variant or a part requires a capability that no part provides. The message
            names the choices that provide it, and those that do not require it. Or a parameter of
            the model is not in exactly one group.
    """
    parts, provided = system.parts(), provided_by(system)
    # The rule for sigma first: it says which of the objectives will do.
    for missing in sorted(system.requires - provided, reverse=True):
        raise ValueError(f"model={system.name} does not take {alternatives(system, missing)}.")
    for group, part in parts.items():
        for missing in sorted(getattr(part, "requires", frozenset()) - provided):
            raise ValueError(
                f"{group}={chosen(system, group)} does not take "
                f"{alternatives(system, missing, doing_without(system, group))}."
            )
    check_groups(system.model)


def check_groups(model: GenerativeModel) -> None:
    """Refuse a model with a parameter that no optimizer would move, or that two would.

    Raises:
        ValueError: the message names the parameter.
    """
    groups = [
        {id(own) for module in modules for own in module.parameters()}
        for modules in model.groups().values()
    ]
    for name, parameter in model.named_parameters():
        count = sum(id(parameter) in group for group in groups)
        if parameter.requires_grad and count != 1:
            reason = (
                "is neither of the encoder nor of the decoder, and nothing would train it"
                if not count
                else "is of the encoder and of the decoder, each of which has its own optimizer"
            )
            raise ValueError(f"{name}: {reason}; call its requires_grad_(False), or move it.")


def chosen(system: "BaseVAE", group: str) -> str:
    """Return the choice of a group of the command line that makes a system's part."""
    part = system.parts()[group]
    # A network that is made of the user's own modules has no name.
    name: str = getattr(part, "name", type(part).__name__)
    # A preset names an unusual likelihood, too.
    return system.preset.partition(",")[0] if group == "objective" else name


def alternatives(system: "BaseVAE", missing: str, instead: str = "") -> str:
    """Return the choice that does not provide something, and what the user may choose.

    Args:
        system: the refused system.
        missing: the capability.
        instead: choices that do not require it, as on the command line; empty for none.
    """
    if missing in OF_VARIANTS:
        return f"model={system.name}; it takes model={OF_VARIANTS[missing]}"
    for group in CHOICES:
        names = choices_providing(group, missing)
        if not names or group not in system.parts():
            continue
        refused = f"{group}={chosen(system, group)}"
        taken = [name for name in names if is_taken(system, group, name)]
        # Those that need nothing else changed, if there are any.
        taken = [name for name in taken if name not in strangers(system, group)] or taken
        if taken and not (instead and is_fixed(system, group)):
            also = f", or choose {instead}" if instead else ""
            return f"{refused}; it takes {group}={', '.join(taken)}{also}"
        others = f"{instead}, or another model" if instead else "another model"
        return f"{refused}, and model={system.name} takes no other; choose {others}"
    return f"these parts: none of them provides {missing}"


def doing_without(system: "BaseVAE", group: str) -> str:
    """Return the other choices of a group that the variant takes and that go with its parts.

    They are as on the command line, and empty if there are none.
    """
    if group not in CHOICES or is_fixed(system, group):
        return ""
    refused = chosen(system, group)
    names = [
        kind.name
        for kind in exported(group)
        if kind.name != refused and goes(system, group, kind) and is_taken(system, group, kind.name)
    ]
    return f"{group}={', '.join(names)}" if names else ""


def goes(system: "BaseVAE", group: str, kind: Any) -> bool:
    """Return whether a class in place of a group's part goes with the other parts as they are.

    It requires nothing that they do not provide, and they miss nothing that they have now.
    """
    others = [system, *(part for name, part in system.parts().items() if name != group)]
    needed = capabilities("requires", others) & provided_by(system)
    provided = capabilities("provides", [kind, *others])
    return capabilities("requires", [kind]) | needed <= provided


def strangers(system: "BaseVAE", group: str) -> list[str]:
    """Return the choices of a group that do not go with the other parts as they are."""
    names = [kind.name for kind in exported(group) if not goes(system, group, kind)]
    return with_rules(group, names)


def is_fixed(system: "BaseVAE", group: str) -> bool:
    """Return whether a group's part is that of the run whose model a second stage gives a prior."""
    return group != "prior" and "all_but_the_prior_fixed" in system.provides


def capabilities(attribute: str, of: Iterable[object]) -> set[str]:
    """Return what all of some parts, classes or variants require or provide."""
    return {own for part in of for own in getattr(part, attribute, ())}


def provided_by(system: "BaseVAE") -> set[str]:
    """Return the capabilities that the variant and its parts provide."""
    return capabilities("provides", [system, *system.parts().values()])


def is_taken(system: "BaseVAE", group: str, name: str) -> bool:
    """Return whether a choice of a group provides what the variant requires of that group.

    Nor may it require what only another variant provides.
    """
    for kind in exported(group):
        of_variants = set(getattr(kind, "requires", ())) & OF_VARIANTS.keys()
        if kind.name == name and not of_variants <= system.provides:
            return False
    groups = [group]
    if group == "objective" and name in providing("likelihood", "sigma_rule"):
        groups.append("likelihood")  # a rule for sigma brings its Gaussian
    required = [choices_providing(own, needed) for own in groups for needed in system.requires]
    return all(name in names for names in required if names)


def choices_providing(group: str, capability: str) -> list[str]:
    """Return the choices of a group that provide a capability."""
    return with_rules(group, providing(group, capability))


def with_rules(group: str, names: list[str]) -> list[str]:
    """Return names of a group's choices, with those of the rules for sigma if the ELBO is there.

    It has a choice of `objective=` for each rule, beside `objective=elbo`.
    """
    rules = group == "objective" and "elbo" in names
    return names + providing("likelihood", "sigma_rule") if rules else names


def providing(group: str, capability: str) -> list[str]:
    """Return the names of a group's classes that provide a capability."""
    return [kind.name for kind in exported(group) if capability in getattr(kind, "provides", ())]


def exported(group: str) -> list[Any]:
    """Return the exported classes that are a group's choices on the command line."""
    module, names = CHOICES[group]
    room = importlib.import_module(module)
    bases = tuple(getattr(room, name) for name in names)
    kinds = [getattr(room, name) for name in room.__all__]
    return [kind for kind in kinds if issubclass(kind, bases) and "name" in vars(kind)]

"""Whether a variant takes the network, objective and schedule that it is given."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE


def check_parts(model: "BaseVAE") -> None:
    """Refuse parts that do not go together.

    Raises:
        ValueError: the variant does not take one of its parts, saying which it takes.
    """
    for part, value, allowed in (
        ("network", model.network, model.networks),
        ("objective", model.objective, model.objectives),
        ("schedule", model.schedule, model.schedules),
    ):
        if not isinstance(value, allowed):
            takes = ", ".join(f"{part}={name}" for kind in allowed for name in option_names(kind))
            raise ValueError(
                f"model={model.name} does not take {part}={value.name}; it takes {takes}."
            )
    if model.deterministic and model.objective.needs_density:
        raise ValueError(
            f"model={model.name} has no posterior density, and {model.objective.formula} needs a KL."
        )
    if model.network.parameters_per_latent != (1 if model.deterministic else 2):
        raise ValueError(
            f"model={model.name} takes a network with parameters_per_latent={2 - model.deterministic}."
        )


def option_names(kind: type) -> list[str]:
    """What the command line calls a class, or the classes of an abstract family."""
    if "name" in vars(kind):
        return [vars(kind)["name"]]
    children: list[type] = kind.__subclasses__()
    return [name for child in children for name in option_names(child)]

"""The construction of a run's model from its configuration."""

import re
from typing import Any

import hydra
from hydra.errors import InstantiationException
from omegaconf import DictConfig
from torch import nn

from reslag_vae._runtime.errors import ConfigError, UserError
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective
from reslag_vae.options.suggestions import choices_with


def instantiate(config: DictConfig) -> Any:
    """Build what the `_target_` of a node names, with plain containers all the way down.

    Args:
        config: node of a configuration.

    Raises:
        ValueError: an argument is out of its range; the message is the constructor's own.
        TypeError: the class does not take an argument; the message names both.
        ConfigError: there is no such class.
        UserError: the constructor's own.
    """
    try:
        return hydra.utils.instantiate(config, _convert_="all")
    except InstantiationException as error:
        place = ""
        cause: BaseException | None = error
        while isinstance(cause, InstantiationException):
            place, cause = place_of(cause) or place, cause.__cause__
        if isinstance(cause, TypeError):
            unknown = re.search(r"unexpected keyword argument '(\w+)'", str(cause))
            if unknown and place:
                option = f"{place}.{unknown[1]}"
                choices = choices_with(option)
                others = f"; there is with {', '.join(choices)}" if choices else ""
                raise TypeError(
                    f"{option}: there is no such option in what was chosen{others}."
                ) from None
            missing = re.search(r"(\w+)\.__init__\(\) missing .* arguments?: '(\w+)'", str(cause))
            if missing and place:
                raise TypeError(f"{place}.{missing[2]}: {missing[1]} needs it.") from None
            raise TypeError(f"{place or config.get('_target_')}: {cause}") from None
        if isinstance(cause, ImportError):
            raise ConfigError(
                f"{config.get('_target_')}: cannot be imported: {' '.join(str(cause).split())}"
            ) from None
        raise (cause if isinstance(cause, ValueError | UserError) else error) from None


def place_of(error: InstantiationException) -> str:
    """Return the option that an error of Hydra's is about, or an empty text if it says none."""
    found = re.search(r"full_key: (\S+)", str(error))
    # The node of a variant holds the other groups'.
    return re.sub(r"^model\.(model\.)?", "", found[1]) if found else ""


class TrainedParts(nn.Module):
    """The model and the objective, of which a checkpoint holds the weights.

    Args:
        model: the model, which infers and generates.
        objective: the objective that the model is trained with; None if that is not known.
    """

    def __init__(self, model: GenerativeModel, objective: Objective | None) -> None:
        super().__init__()
        self.model, self.objective = model, objective


def build_parts(node: DictConfig) -> TrainedParts:
    """Return the model and the objective that a variant's node describes.

    Raises:
        ValueError: the parts do not fit each other, or a value is out of its range.
    """
    model = instantiate(node.model)
    objective = instantiate(node.objective) if "objective" in node else None
    if not isinstance(model, GenerativeModel):
        raise ValueError(f"model.model._target_={node.model.get('_target_')}: is no model.")
    if objective is not None and not isinstance(objective, Objective):
        target = node.objective.get("_target_")
        raise ValueError(f"model.objective._target_={target}: is no objective.")
    return TrainedParts(model, objective)


def named_class(target: str) -> Any:
    """Return the class of a dotted name, such as a `_target_`."""
    return hydra.utils.get_class(target)

"""What a second stage begins with: the weights of its run, and the same data."""

from pathlib import Path

from omegaconf import DictConfig
from torch import Tensor

from reslag_vae.data.inventory import Inventory
from reslag_vae.latents import Prior
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives.rate import Rate
from reslag_vae.runs import identity
from reslag_vae.runs.checkpoints import checkpoint_path, read_checkpoint
from reslag_vae.runs.config import check_trust, plain
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.load import Parts, parts_of
from reslag_vae.training.system import BaseVAE


def begin_with_run(system: BaseVAE, config: DictConfig) -> None:
    """Give a new system of a second stage the weights of its run, all but the prior's.

    Args:
        system: system of the second stage.
        config: its configuration.

    Raises:
        RunError: the run has no checkpoint, or it is damaged.
    """
    first = first_parts(config)
    system.model.load_state_dict(system.model.state_dict() | without_priors(first.model))
    own = first.objective
    before = own.trained_with if isinstance(own, Rate) else own
    if isinstance(system.objective, Rate) and system.objective.trained_with is not None:
        system.objective.trained_with.load_state_dict({} if before is None else before.state_dict())


def folder_of(config: DictConfig) -> Path:
    """Return the folder of the run that a second stage begins with."""
    return Path(config.run).expanduser()


def first_parts(config: DictConfig) -> Parts:
    """Return the model and the objective of the run that a second stage begins with."""
    path = checkpoint_path(folder_of(config), "best")
    return parts_of(read_checkpoint(path), path, check_trust(plain(config.trust)))


def without_priors(model: GenerativeModel) -> dict[str, Tensor]:
    """Return the weights of a model but those of its priors, by name."""
    priors = tuple(
        f"{name}." for name, module in model.named_modules() if isinstance(module, Prior)
    )
    return {
        name: value for name, value in model.state_dict().items() if not name.startswith(priors)
    }


def refuse_other_data(config: DictConfig, inventory: Inventory) -> None:
    """Refuse to fit a prior to other images than its run's model was trained on.

    Raises:
        RunError: the data differ. The message says how.
    """
    folder = folder_of(config)
    changed = identity.changes(folder, inventory)
    if changed and config.changed_data != "accept":
        raise RunError(f"{folder}: its data have changed: {changed}. {identity.CONSEQUENCE}")

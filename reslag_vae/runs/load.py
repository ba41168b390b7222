"""A finished run read back: its model and its configuration."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime.errors import ConfigError, first_line
from reslag_vae.runs.build import build_model
from reslag_vae.runs.checkpoints import checkpoint_path, epoch_of, read_checkpoint
from reslag_vae.runs.config import (
    MODEL_MODULES,
    check_trust,
    foreign_target,
    is_final,
    load_config,
    refusal,
)
from reslag_vae.runs.folder import (
    MODEL_FILE,
    WEIGHTS_FILE,
    RunError,
    read_json,
    read_metrics,
    read_result,
)
from reslag_vae.runs.identity import refuse_other
from reslag_vae.runs.migrations import current_checkpoint
from reslag_vae.runs.weights import (
    as_in_training,
    refuse_other_sizes,
    refuse_other_tensors,
    state_of,
)
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants.titles import title_of


class Run(NamedTuple):
    """A finished run read back.

    Attributes:
        folder: of the run.
        config: that it was made with.
        model: of the checkpoint.
        checkpoint: `best` or `last`.
        epoch: of the checkpoint, from 1.
        history: rows of metrics.csv, one for each epoch; empty cells are left out.
        images: number of images by split, as in training; empty if it has not finished.
    """

    folder: Path
    config: DictConfig
    model: BaseVAE
    checkpoint: str
    epoch: int
    history: list[dict[str, float]]
    images: dict[str, int]

    @property
    def title(self) -> str:
        """The model as the thesis calls it, with its objective if that is not the thesis'."""
        return title_of(self.model.name, self.model.objective.name)


def read_run(folder: str | Path, which: str = "best", trust: Collection[str] = ()) -> Run:
    """A run's model, configuration and history.

    Args:
        folder: of the run.
        which: its `best` or `last` checkpoint.
        trust: modules of the user's own that its model may be made of; nothing else but this
            package's parts is built.

    Raises:
        RunError: something in the folder is missing, damaged, or none of ours.
    """
    folder = Path(folder)
    config, path = load_config(folder), checkpoint_path(folder, which)
    checkpoint = read_checkpoint(path)
    model, epoch = model_of(checkpoint, path, trust), epoch_of(checkpoint, path)
    refuse_other(folder, checkpoint, path, OmegaConf.to_container(config))
    images = read_result(folder).get("images", {})
    return Run(folder, config, model, which, epoch, read_metrics(folder), images)


def load(folder: str | Path, which: str = "best", trust: Collection[str] = ()) -> BaseVAE:
    """The trained model of a run or of an export, in evaluation mode on the CPU, its parameters without gradients.

    No code in the folder is run, and torch's random numbers and default type are as before.

    Args:
        folder: of the run or the export, or a checkpoint's file.
        which: the run's `best` or `last` checkpoint.
        trust: modules of your own that the model may be made of, as in `trust=("mymodels",)`: they
            are imported. Nothing else but this package's parts is built.

    Raises:
        RunError: the folder has no such checkpoint, or it is damaged or not one of ours.
        ValueError: `which` is neither.
    """
    if which not in ("best", "last"):
        raise ValueError(f"which={which!r}: choose best or last.")
    folder = Path(folder).expanduser()
    if (folder / WEIGHTS_FILE).is_file():
        return model_of(read_export(folder), folder / WEIGHTS_FILE, trust)
    path = folder if folder.is_file() else checkpoint_path(folder, which)
    return model_of(read_checkpoint(path), path, trust)


def read_export(folder: Path) -> dict[str, Any]:
    """An export's model and weights, as in a checkpoint of today.

    Raises:
        RunError: one of its files is damaged, or of a later version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(folder / WEIGHTS_FILE)
    except (SafetensorError, OSError) as error:
        raise RunError(f"{folder / WEIGHTS_FILE} is damaged: {first_line(error)}") from None
    content = {"hyper_parameters": read_json(folder / MODEL_FILE), "state_dict": state}
    return current_checkpoint(content, folder / MODEL_FILE)


def model_of(checkpoint: dict[str, Any], path: Path, trust: Collection[str] = ()) -> BaseVAE:
    """The model of a checkpoint that was read from `path`.

    Raises:
        RunError: the checkpoint is of another version or not one of ours.
        ConfigError: `trust` holds no names of modules.
    """
    trust = check_trust(trust)
    parameters = checkpoint.get("hyper_parameters")
    config = parameters.get("model") if isinstance(parameters, dict) else None
    if not (isinstance(config, dict) and "_target_" in config and is_final(config)):
        raise RunError(
            f"{path} is not a checkpoint of this package: it does not say of which model of ours it is."
        )
    foreign = foreign_target(config, MODEL_MODULES, trust)
    if foreign is not None:
        raise RunError(f"{path} is not a checkpoint of this package: {refusal(foreign)}")
    try:
        state = state_of(checkpoint)
        own = is_own(config)
        with as_in_training():
            if own:
                refuse_other_sizes(config, state)
            model = build_model(OmegaConf.create({"model": config}))
            refuse_other_tensors(model.state_dict(), state)
            model.load_state_dict(state)
    except ConfigError:  # what the user trusts cannot be imported
        raise
    except (
        Exception
    ) as error:  # a foreign configuration fails in any constructor, with any exception
        raise RunError(
            f"{path} is damaged, or of another version of this package: {first_line(error)}"
        ) from None
    return model.requires_grad_(False).eval()


def is_own(config: dict[str, Any]) -> bool:
    """Whether a model is made of this package's parts alone."""
    return foreign_target(config, MODEL_MODULES) is None

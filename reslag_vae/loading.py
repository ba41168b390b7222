"""A finished run read back: its model, its configuration, and the data that it was trained on."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from reslag_vae.data import ImageDataModule
from reslag_vae.data.base import SplitName
from reslag_vae.errors import UserError, first_line
from reslag_vae.models import BaseVAE
from reslag_vae.models.titles import title_of
from reslag_vae.runs import (
    MODEL_FILE,
    WEIGHTS_FILE,
    RunError,
    checkpoint_path,
    config_path,
    read_checkpoint,
    read_json,
    read_metrics,
    read_result,
)
from reslag_vae.wiring import build_model, instantiate

# What a checkpoint or a configuration, which may come from anywhere, may ask to be built.
MODELS = re.compile(r"reslag_vae\.(models|networks|objectives|schedules|optimizers)\.[A-Z][A-Za-z0-9]*")
DATA = re.compile(r"reslag_vae\.data\.[A-Z][A-Za-z0-9]*")


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
    images: dict[SplitName, int]

    @property
    def title(self) -> str:
        """The model as the thesis calls it, with its objective if that is not the thesis'."""
        return title_of(self.model.name, self.model.objective.name)


def read_run(folder: str | Path, which: str = "best") -> Run:
    """A run's model, configuration and history.

    Args:
        folder: of the run.
        which: its `best` or `last` checkpoint.

    Raises:
        RunError: something in the folder is missing, damaged, or none of ours.
    """
    folder = Path(folder)
    config, path = load_config(folder), checkpoint_path(folder, which)
    checkpoint = read_checkpoint(path)
    model, epoch = model_of(checkpoint, path), checkpoint.get("epoch")
    if not isinstance(epoch, int):
        raise RunError(f"{path} is not a checkpoint of this package: it does not say of which epoch it is.")
    tree = OmegaConf.to_container(config)
    if isinstance(tree, dict) and tree["model"] != checkpoint["hyper_parameters"]["model"]:
        raise RunError(f"{path} is of another model than {config_path(folder)}.")
    images = read_result(folder).get("images", {})
    return Run(folder, config, model, which, epoch + 1, read_metrics(folder), images)


def load(folder: str | Path, which: str = "best") -> BaseVAE:
    """The trained model of a run or of an export, in evaluation mode on the CPU, its parameters without gradients.

    Args:
        folder: of the run or the export.
        which: its `best` or `last` checkpoint.

    Raises:
        RunError: the folder has no such checkpoint, or it is damaged or not one of ours.
    """
    folder = Path(folder)
    if (folder / WEIGHTS_FILE).is_file():
        return model_of(read_export(folder), folder / WEIGHTS_FILE)
    path = checkpoint_path(folder, which)
    return model_of(read_checkpoint(path), path)


def read_export(folder: Path) -> dict[str, Any]:
    """An export's model and weights, as in a checkpoint.

    Raises:
        RunError: one of its files is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(folder / WEIGHTS_FILE)
    except (SafetensorError, OSError) as error:
        raise RunError(f"{folder / WEIGHTS_FILE} is damaged: {first_line(error)}") from None
    return {"hyper_parameters": read_json(folder / MODEL_FILE), "state_dict": state}


def model_of(checkpoint: dict[str, Any], path: Path) -> BaseVAE:
    """The model of a checkpoint that was read from `path`.

    Raises:
        RunError: the checkpoint is of another version or not one of ours.
    """
    parameters = checkpoint.get("hyper_parameters")
    config = parameters.get("model") if isinstance(parameters, dict) else None
    if not (isinstance(config, dict) and "_target_" in config and builds_only(config, MODELS)):
        raise RunError(f"{path} is not a checkpoint of this package: it does not say of which model of ours it is.")
    try:
        model = build_model(OmegaConf.create({"model": config}))
        model.load_state_dict(checkpoint["state_dict"])
    except Exception as error:  # a foreign configuration fails in any constructor, with any exception
        raise RunError(f"{path} is damaged, or of another version of this package: {first_line(error)}") from None
    return model.requires_grad_(False).eval()


def load_config(folder: str | Path) -> DictConfig:
    """The configuration that a run was made with, every value final.

    Raises:
        RunError: it is missing, or not one of ours.
    """
    path = config_path(Path(folder))
    try:
        config = OmegaConf.load(path)
        tree = OmegaConf.to_container(config)
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        raise RunError(f"{path} is damaged: {first_line(error)}") from None
    if not isinstance(config, DictConfig) or not {"data", "model", "seed"} <= set(config) or not is_final(tree):
        raise RunError(f"{path} is not the configuration of a run of this package.")
    return config


def load_data(folder: str | Path, root: str | Path | None = None) -> ImageDataModule:
    """The data that a run was trained on, read and split as they were.

    Args:
        folder: of the run.
        root: the folder of all data sets, if it is another one now.

    Raises:
        RunError: the run's configuration is missing, damaged or not one of ours.
        DataError: a file of the data is missing or damaged.
    """
    path, config = config_path(Path(folder)), load_config(folder)
    tree = OmegaConf.to_container(config)
    node = tree["data"] if isinstance(tree, dict) else None
    if not (isinstance(node, dict) and "_target_" in node and builds_only(node, DATA)):
        raise RunError(f"{path}: its data are none of this package's data modules.")
    try:
        data = instantiate(OmegaConf.create(node | ({} if root is None else {"root": str(root)})))
    except UserError:
        raise
    except Exception as error:  # likewise
        raise RunError(f"{path}: its data module cannot be built: {first_line(error)}") from None
    if not isinstance(data, ImageDataModule):
        raise RunError(f"{path}: its data are none of this package's data modules.")
    data.setup()
    return data


def is_final(tree: Any) -> bool:
    """Whether a configuration is made of plain values alone, without references: those could run code when resolved."""
    if isinstance(tree, dict):
        return all(isinstance(key, str) and "${" not in key and is_final(branch) for key, branch in tree.items())
    if isinstance(tree, list):
        return all(map(is_final, tree))
    return "${" not in tree if isinstance(tree, str) else tree is None or type(tree) in (bool, int, float)


def builds_only(tree: Any, ours: re.Pattern[str]) -> bool:
    """Whether a configuration is final and every class that it would build is one of ours."""
    branches = list(tree.values()) if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    own = not isinstance(tree, dict) or "_target_" not in tree or ours.fullmatch(str(tree["_target_"])) is not None
    return is_final(tree) and own and all(builds_only(branch, ours) for branch in branches)

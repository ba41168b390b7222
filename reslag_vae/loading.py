"""A finished run read back: its model, and the data that it was trained on."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from reslag_vae.data import ImageDataModule
from reslag_vae.errors import UserError
from reslag_vae.models import BaseVAE
from reslag_vae.runs import RunError, checkpoint_path, config_path, read_checkpoint, read_metrics
from reslag_vae.wiring import build_model, instantiate

# What a checkpoint or a configuration, which may come from anywhere, may ask to be built.
MODELS = re.compile(r"reslag_vae\.(models|networks|objectives|schedules|optimizers)\.[A-Z][A-Za-z0-9]*")
# The objectives of the thesis' Table 1, and that of the plain variational autoencoder.
USUAL = ("reconstruction", "elbo", "beta", "mmd", "sigma_data")
DATA = re.compile(r"reslag_vae\.data\.[A-Z][A-Za-z0-9]*")


def load(folder: str | Path, which: str = "best") -> BaseVAE:
    """The trained model of a run, in evaluation mode on the CPU, its parameters without gradients.

    Args:
        folder: of the run.
        which: its `best` or `last` checkpoint.

    Raises:
        RunError: the folder has no such checkpoint, or it is damaged or not one of ours.
    """
    path = checkpoint_path(Path(folder), which)
    checkpoint = read_checkpoint(path)
    config = checkpoint.get("hyper_parameters", {}).get("model")
    if not isinstance(config, dict) or not all(MODELS.fullmatch(target) for target in targets(config)):
        raise RunError(f"{path} is not a checkpoint of this package: it does not say of which model of ours it is.")
    try:
        model = build_model(OmegaConf.create({"model": config}))
        model.load_state_dict(checkpoint["state_dict"])
    except Exception as error:  # a foreign configuration fails in any constructor, with any exception
        raise RunError(f"{path} is damaged, or of another version of this package: {first_line(error)}") from None
    return model.requires_grad_(False).eval()


class Run(NamedTuple):
    """A finished run read back.

    Attributes:
        folder: of the run.
        config: that it was made with.
        model: of the checkpoint.
        checkpoint: `best` or `last`.
        epoch: of the checkpoint, from 1.
        history: rows of metrics.csv, one for each epoch; empty cells are left out.
    """

    folder: Path
    config: DictConfig
    model: BaseVAE
    checkpoint: str
    epoch: int
    history: list[dict[str, float]]

    @property
    def title(self) -> str:
        """The model as the thesis calls it, with its objective if that is not the thesis'."""
        objective = self.model.objective.name
        return self.model.title if objective in USUAL else f"{self.model.title}, {objective}"


def read_run(folder: str | Path, which: str = "best") -> Run:
    """A run's model, configuration and history.

    Args:
        folder: of the run.
        which: its `best` or `last` checkpoint.

    Raises:
        RunError: something in the folder is missing, damaged, or none of ours.
    """
    folder = Path(folder)
    config, model, history = load_config(folder), load(folder, which), read_metrics(folder)
    epoch = read_checkpoint(checkpoint_path(folder, which))["epoch"] + 1
    return Run(folder, config, model, which, epoch, history)


def load_config(folder: str | Path) -> DictConfig:
    """The configuration that a run was made with.

    Raises:
        RunError: it is missing, or not one of ours.
    """
    path = config_path(Path(folder))
    try:
        config = OmegaConf.load(path)
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        raise RunError(f"{path} is damaged: {first_line(error)}") from None
    if not isinstance(config, DictConfig) or not {"data", "model", "seed"} <= set(config):
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
    if not isinstance(node, dict) or not all(map(DATA.fullmatch, targets({"_target_": ""} | node))):
        raise RunError(f"{path}: its data are none of this package's data modules.")
    try:
        data = instantiate(OmegaConf.create(node | ({} if root is None else {"root": str(root)})))
    except UserError:
        raise
    except Exception as error:  # likewise
        raise RunError(f"{path}: its data module cannot be built: {first_line(error)}") from None
    assert isinstance(data, ImageDataModule)
    data.setup()
    return data


def first_line(error: Exception) -> str:
    """Of an exception's message, or its name if it has none."""
    return (str(error) or type(error).__name__).splitlines()[0]


def targets(tree: Any) -> Iterator[str]:
    """Every class that a configuration would build."""
    if isinstance(tree, dict):
        if "_target_" in tree:
            yield str(tree["_target_"])
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from targets(branch)

"""A finished run read back: its model, its configuration, and the data that it was trained on."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from reslag_vae._runtime.errors import ConfigError, UserError, first_line
from reslag_vae.data import ImageDataModule
from reslag_vae.data.base import SplitName
from reslag_vae.runs.build import build_model, instantiate
from reslag_vae.runs.config import (
    DATA_MODULES,
    MODEL_MODULES,
    check_trust,
    foreign_target,
    is_final,
    read_config,
    refusal,
)
from reslag_vae.runs.folder import (
    MODEL_FILE,
    WEIGHTS_FILE,
    RunError,
    checkpoint_path,
    config_path,
    epoch_of,
    read_checkpoint,
    read_json,
    read_metrics,
    read_result,
)
from reslag_vae.runs.identity import refuse_other
from reslag_vae.runs.migrations import migrated
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
    images: dict[SplitName, int]

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
    config = migrated(config)
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


def state_of(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint.

    Raises:
        ValueError: they are no tensors by name, or hold numbers that are not finite.
    """
    state = checkpoint["state_dict"]
    if not isinstance(state, dict) or not all(
        isinstance(value, Tensor) for value in state.values()
    ):
        raise ValueError("its state_dict does not hold tensors by name")
    for name, value in state.items():
        if value.layout != torch.strided or value.is_meta or value.is_quantized:
            raise ValueError(f"{name} is no plain tensor")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ValueError(f"{name} is larger than what is stored of it")
        if value.is_floating_point() and not value.isfinite().all():
            raise ValueError(f"{name} holds numbers that are not finite")
    return state


@contextmanager
def as_in_training() -> Iterator[None]:
    """Within the context models are built in float32; torch's random numbers and default type are as before it."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"), torch.inference_mode(False):
            yield
    finally:
        torch.set_default_dtype(before)


def refuse_other_sizes(config: dict[str, Any], state: dict[str, Tensor]) -> None:
    """Refuse a model that has other tensors than a checkpoint, before memory is taken for any.

    Raises:
        ValueError: naming a tensor.
    """

    registered: list[str] = []

    def count(_: nn.Module, name: str, __: nn.Parameter | None) -> None:
        registered.append(name)
        if len(registered) > len(state):
            raise ValueError(f"its model has more parameters than its {len(state)} tensors")

    hook = nn.modules.module.register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"):
            model = build_model(OmegaConf.create({"model": config}))
    finally:
        hook.remove()
    refuse_other_tensors(model.state_dict(), state)


def refuse_other_tensors(wanted: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    """Refuse weights that do not fit a model.

    Raises:
        ValueError: naming a tensor.
    """
    for name in wanted.keys() ^ state.keys():
        raise ValueError(
            f"its model has {'no' if name in state else 'a'} tensor {name}, unlike its weights"
        )
    for name, value in wanted.items():
        if (value.shape, value.dtype) != (state[name].shape, state[name].dtype):
            raise ValueError(
                f"{name} is {tuple(state[name].shape)} of {state[name].dtype}, where its model has "
                f"{tuple(value.shape)} of {value.dtype}"
            )


def load_config(folder: str | Path) -> DictConfig:
    """The configuration that a run was made with, every value final.

    Raises:
        RunError: it is missing, or not one of ours.
    """
    folder = Path(folder)
    tree = read_config(folder)
    if not {"data", "model", "seed"} <= tree.keys():
        raise RunError(f"{config_path(folder)} is not the configuration of a run of this package.")
    return OmegaConf.create(tree)


def load_data(
    folder: str | Path,
    root: str | Path | None = None,
    pictures: str | Path | None = None,
    trust: Collection[str] = (),
) -> ImageDataModule:
    """The data that a run was trained on, read and split as they were.

    Args:
        folder: of the run.
        root: the folder of all data sets, if it is another one now.
        pictures: the folder of the pictures, if it is another one now.
        trust: modules of the user's own that the data may be made of.

    Raises:
        RunError: the run's configuration is missing, damaged or not one of ours, or its data are
            not where it says.
        ConfigError: the data have no folder of pictures.
        DataError: a file of the data is missing or damaged.
    """
    path, config = config_path(Path(folder)), load_config(folder)
    tree = OmegaConf.to_container(config)
    node = tree["data"] if isinstance(tree, dict) else None
    if not isinstance(node, dict) or "_target_" not in node:
        raise RunError(f"{path}: its data are none of this package's data modules.")
    foreign = foreign_target(node, DATA_MODULES, check_trust(trust))
    if foreign is not None:
        raise RunError(
            f"{path}: its data are none of this package's data modules: {refusal(foreign)}"
        )
    if pictures is not None and "folder" not in node:
        raise ConfigError(
            f"folder={pictures}: the data of {folder} have no folder of pictures; name their root."
        )
    moved = {"root": root, "folder": pictures}
    node |= {
        name: str(Path(place).expanduser()) for name, place in moved.items() if place is not None
    }
    try:
        data = instantiate(OmegaConf.create(node))
    except UserError:
        raise
    except Exception as error:  # likewise
        raise RunError(f"{path}: its data module cannot be built: {first_line(error)}") from None
    if not isinstance(data, ImageDataModule):
        raise RunError(f"{path}: its data are none of this package's data modules.")
    if data.needs_root and not data.root.is_dir():
        raise RunError(
            f"{path}: the folder of its data, {data.root}, is not here: name it by root=."
        )
    data.setup()
    return data

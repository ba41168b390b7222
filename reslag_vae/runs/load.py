"""A finished run read back: its model, its configuration, and the data that it was trained on."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from reslag_vae._runtime.errors import ConfigError, UserError, first_line
from reslag_vae.data import ImageDataModule
from reslag_vae.data.base import SplitName
from reslag_vae.models import GenerativeModel
from reslag_vae.models.card import preset
from reslag_vae.objectives import Objective
from reslag_vae.runs.build import build_parts, instantiate
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
from reslag_vae.runs.migrations import migrated_checkpoint

# A checkpoint's tensor that is the system's own: the yardstick's variance.
YARDSTICK = "train_mse"


class Variant(Protocol):
    """What a run's LightningModule is called.

    Attributes:
        name: as in `model=<name>` on the command line.
        title: as the thesis calls it.
    """

    name: str
    title: str

    def titled(self, preset: str) -> str:
        """Return the title, with an objective if that is not the thesis'."""


class Parts(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        model: in evaluation mode on the CPU, its parameters without gradients.
        objective: that it was trained with.
        node: of the variant, in plain values.
    """

    model: GenerativeModel
    objective: Objective
    node: dict[str, Any]


class Run(NamedTuple):
    """A run read back.

    Attributes:
        folder: of the run.
        config: that it was made with.
        variant: its LightningModule's class.
        model: of the checkpoint.
        objective: that it was trained with.
        schedule: that it was trained by.
        checkpoint: `best` or `last`.
        epoch: of the checkpoint, from 1.
        history: rows of metrics.csv, one for each epoch; empty cells are left out.
        images: number of images by split, as in training; empty if it has not finished.
    """

    folder: Path
    config: DictConfig
    variant: Variant
    model: GenerativeModel
    objective: Objective
    schedule: Any
    checkpoint: str
    epoch: int
    history: list[dict[str, float]]
    images: dict[SplitName, int]

    @property
    def preset(self) -> str:
        """The choice of `objective=` that gives the objective and the likelihood."""
        return preset(self.model, self.objective)

    @property
    def title(self) -> str:
        """The model as the thesis calls it, with its objective if that is not the thesis'."""
        return self.variant.titled(self.preset)


def read_run(folder: str | Path, which: str = "best", trust: Collection[str] = ()) -> Run:
    """Return a run's model, configuration and history.

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
    parts, epoch = parts_of(checkpoint, path, trust), epoch_of(checkpoint, path)
    refuse_other(folder, checkpoint, path, OmegaConf.to_container(config))
    return Run(
        folder=folder,
        config=config,
        variant=variant_of(parts.node, path, trust),
        model=parts.model,
        objective=parts.objective,
        schedule=instantiate(config.model.schedule),
        checkpoint=which,
        epoch=epoch,
        history=read_metrics(folder),
        images=read_result(folder).get("images", {}),
    )


def variant_of(node: dict[str, Any], path: Path, trust: Collection[str]) -> Variant:
    """Return the class of a run's LightningModule.

    Raises:
        RunError: it is neither one of this package's nor trusted.
    """
    foreign = foreign_target(node, MODEL_MODULES, check_trust(trust))
    if foreign is not None:
        raise RunError(f"{path} is not a checkpoint of this package: {refusal(foreign)}")
    variant: Any = get_class(node["_target_"])
    return variant  # type: ignore[no-any-return]


def load(folder: str | Path, which: str = "best", trust: Collection[str] = ()) -> GenerativeModel:
    """Return the trained model of a run or of an export.

    It is in evaluation mode on the CPU, its parameters without gradients. No code in the folder is
    run, and torch's random numbers and default type are as before.

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
        return parts_of(read_export(folder), folder / WEIGHTS_FILE, trust).model
    path = folder if folder.is_file() else checkpoint_path(folder, which)
    return parts_of(read_checkpoint(path), path, trust).model


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
    content = {"hyper_parameters": read_json(folder / MODEL_FILE), "state_dict": state}
    return migrated_checkpoint(content)


def parts_of(checkpoint: dict[str, Any], path: Path, trust: Collection[str] = ()) -> Parts:
    """Return the model and the objective of a checkpoint that was read from `path`.

    Raises:
        RunError: the checkpoint is of another version or not one of ours.
        ConfigError: `trust` holds no names of modules.
    """
    trust = check_trust(trust)
    parameters = checkpoint.get("hyper_parameters")
    node = parameters.get("model") if isinstance(parameters, dict) else None
    if not isinstance(node, dict) or not is_node(node):
        raise RunError(
            f"{path} is not a checkpoint of this package: it does not say of which model of ours "
            "it is."
        )
    config = {name: node[name] for name in ("model", "objective")}
    foreign = foreign_target(config, MODEL_MODULES, trust)
    if foreign is not None:
        raise RunError(f"{path} is not a checkpoint of this package: {refusal(foreign)}")
    try:
        parts = with_weights(config, weights_of(checkpoint))
    except ConfigError:  # what the user trusts cannot be imported
        raise
    except Exception as error:  # a foreign configuration fails in any constructor, in any way
        raise RunError(
            f"{path} is damaged, or of another version of this package: {first_line(error)}"
        ) from None
    parts.requires_grad_(False).eval()
    return Parts(parts["model"], parts["objective"], node)  # type: ignore[arg-type]


def is_node(node: dict[str, Any]) -> bool:
    """Return whether plain values are the node of a variant."""
    return is_final(node) and {"_target_", "model", "objective"} <= node.keys()


def with_weights(config: dict[str, Any], state: dict[str, Tensor]) -> nn.ModuleDict:
    """Return the parts of a configuration with these weights.

    Raises:
        ValueError: the weights are those of other parts.
    """
    with as_in_training():
        if foreign_target(config, MODEL_MODULES) is None:
            refuse_other_sizes(config, state)
        parts = build_parts(OmegaConf.create(config))
        refuse_other_tensors(parts.state_dict(), state)
        parts.load_state_dict(state)
    return parts


def weights_of(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    """Return the weights of a checkpoint's model and objective.

    Raises:
        ValueError: they are no tensors by name, or hold numbers that are not finite.
    """
    return {name: value for name, value in state_of(checkpoint).items() if name != YARDSTICK}


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
            parts = build_parts(OmegaConf.create(config))
    finally:
        hook.remove()
    refuse_other_tensors(parts.state_dict(), state)


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

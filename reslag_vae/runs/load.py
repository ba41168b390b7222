"""A finished run, loaded: its model, configuration and history."""

import math
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from reslag_vae._runtime.errors import ConfigError, first_line, printable
from reslag_vae.models import GenerativeModel
from reslag_vae.models.card import preset
from reslag_vae.objectives import Objective
from reslag_vae.runs.build import TrainedParts, build_parts, instantiate, named_class
from reslag_vae.runs.checkpoints import checkpoint_path, epoch_of, read_checkpoint
from reslag_vae.runs.config import (
    MODEL_MODULES,
    check_trust,
    foreign_target,
    is_exported,
    is_final,
    load_config,
    refusal,
    targets_of,
)
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.exported import FILES, is_export
from reslag_vae.runs.folder import (
    MODEL_FILE,
    WEIGHTS_FILE,
    config_path,
    read_metrics,
    read_result,
)
from reslag_vae.runs.formats import read_json
from reslag_vae.runs.hub import download, is_address, parsed
from reslag_vae.runs.identity import refuse_other
from reslag_vae.runs.migrations import current_checkpoint
from reslag_vae.runs.weights import (
    as_in_training,
    refuse_other_sizes,
    refuse_other_tensors,
    weights_of,
)


class Variant(Protocol):
    """The LightningModule class of a run.

    Attributes:
        name: name of the variant, as in `model=<name>` on the command line.
        title: the thesis' name of the variant.
    """

    name: str
    title: str

    def titled(self, preset: str) -> str:
        """Return the title, followed by the objective if that is not the thesis' choice."""


class Parts(NamedTuple):
    """The model and the objective of a checkpoint.

    Attributes:
        model: the model, in evaluation mode on the CPU, its parameters without gradients.
        objective: the objective that the model was trained with; None where a model was saved by
            itself.
        node: the variant's node of the configuration, in plain values.
    """

    model: GenerativeModel
    objective: Objective | None
    node: dict[str, Any]


class Run(NamedTuple):
    """A loaded run.

    Attributes:
        folder: folder of the run.
        config: configuration that the run was made with.
        variant: LightningModule class of the run.
        model: model of the checkpoint.
        objective: objective that the model was trained with.
        schedule: schedule that the model was trained by.
        checkpoint: `best` or `last`.
        epoch: epoch of the checkpoint, counted from 1.
        history: rows of metrics.csv, one for each epoch; empty cells are left out.
        images: number of images by split, as in training; empty if the run has not finished.
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
    images: dict[str, int]

    @property
    def preset(self) -> str:
        """The choice of `objective=` that gives the objective and the likelihood."""
        return preset(self.model, self.objective)

    @property
    def updates(self) -> int | None:
        """The number of the decoder's updates, one for each minibatch.

        None if the history does not say. The last minibatch of an epoch may be smaller.

        Raises:
            RunError: the configuration does not say how large a minibatch is.
        """
        rows = [row for row in self.history if row.get("epoch", math.inf) <= self.epoch]
        seen = [row["images_seen"] for row in rows if "images_seen" in row]
        if not seen or len(seen) < len(rows) or rows[-1]["epoch"] != self.epoch:
            return None
        images = [after - before for before, after in pairwise([0.0, *seen])]
        batch_size = OmegaConf.select(self.config, "data.batch_size")
        if type(batch_size) is not int or batch_size < 1:
            raise RunError(
                f"{config_path(self.folder)} is damaged: data.batch_size is no whole number above "
                "0."
            )
        return sum(math.ceil(count / batch_size) for count in images)

    @property
    def title(self) -> str:
        """The thesis' name of the model, with the objective if that is not the thesis' choice."""
        return self.variant.titled(self.preset)


def read_run(folder: str | Path, which: str = "best", trust: Collection[str] = ()) -> Run:
    """Return a run's model, configuration and history.

    Args:
        folder: folder of the run.
        which: checkpoint, `best` or `last`.
        trust: modules of the user's own that the model may be made of; beside them only this
            package's parts are built.

    Raises:
        RunError: a file of the run is missing, damaged, or not of this package.
    """
    folder = Path(folder)
    config, path = load_config(folder), checkpoint_path(folder, which)
    checkpoint = read_checkpoint(path)
    parts, epoch = parts_of(checkpoint, path, trust), epoch_of(checkpoint, path)
    refuse_other(folder, checkpoint, path, OmegaConf.to_container(config))
    if parts.objective is None or "_target_" not in parts.node:
        raise RunError(f"{path} is of a model by itself, not of a run: load(folder) reads it.")
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
    """Return the LightningModule class that a variant's node names.

    Raises:
        RunError: the class is neither one of this package nor trusted.
    """
    foreign = foreign_target(node, MODEL_MODULES, check_trust(trust))
    if foreign is not None:
        raise RunError(f"{path} is not a checkpoint of this package: {refusal(foreign)}")
    variant: Variant = named_class(node["_target_"])
    return variant


def load(
    folder: str | Path, which: str | None = None, trust: Collection[str] = ()
) -> GenerativeModel:
    """Return the trained model of a run or of an export.

    The model is in evaluation mode on the CPU, its parameters without gradients. No code in the
    folder is run, and torch's random numbers and default type are as before.

    Args:
        folder: folder of the run or the export, or the file of a checkpoint; or the address of an
            export on the hub of Hugging Face, `hf://user/name` or `hf://user/name@revision`.
        which: checkpoint of a run, `best` or `last`; None for `best`. Of an export, or the file of
            a checkpoint, there is one alone, and no choice.
        trust: modules of your own that the model may be made of, as in `trust=("mymodels",)`: they
            are imported. Beside them only this package's parts are built.

    Raises:
        RunError: the folder has no such checkpoint, or it is damaged or not of this package; or the
            hub has no such export, or cannot be reached.
        UserError: huggingface_hub is not installed, which an address on the hub needs.
        ValueError: `which` is neither `best` nor `last`, or there is no choice; or `folder` is no
            path and no address.
    """
    if which not in (None, "best", "last"):
        raise ValueError(f"which={which!r}: choose best or last.")
    path = path_given(folder)
    if which is not None and (path.is_file() or (path / WEIGHTS_FILE).is_file()):
        raise ValueError(
            f"which={which!r}: {printable(str(folder))} is no run, and holds one model alone; "
            "leave which out."
        )
    return load_parts(path, which or "best", trust).model


def load_parts(folder: Path, which: str = "best", trust: Collection[str] = ()) -> Parts:
    """Return the trained model of a run or of an export, with its objective: see `load`.

    Raises:
        RunError: the folder is not there, or is a file of an export, or has no such checkpoint, or
            it is damaged or not of this package.
    """
    if not folder.exists():
        raise RunError(f"{printable(str(folder))}: there is no such run, export or checkpoint.")
    if folder.name in FILES and is_export(folder.parent):
        raise RunError(
            f"{printable(str(folder))} is a file of an export: give its folder, "
            f"{printable(str(folder.parent))}."
        )
    if (folder / WEIGHTS_FILE).is_file():
        return parts_of(read_export(folder), folder / WEIGHTS_FILE, trust)
    path = folder if folder.is_file() else checkpoint_path(folder, which)
    return parts_of(read_checkpoint(path), path, trust)


def path_given(folder: Any) -> Path:
    """Return the path that is given, with `~` replaced by the user's own folder.

    Of an address on the hub it is that of what was downloaded.

    Raises:
        RunError: the hub has no such export, or cannot be reached.
        ValueError: it is no path, or of a user who is not there.
    """
    if is_address(folder):
        return download(parsed(folder))
    try:
        return Path(folder).expanduser()
    except (TypeError, RuntimeError):
        raise ValueError(
            f"folder={folder!r}: the path of a run's folder, of an export or of a checkpoint's "
            "file is wanted."
        ) from None


def read_export(folder: Path) -> dict[str, Any]:
    """Read the model's node and the weights of an export, in the form of today's checkpoints.

    Raises:
        RunError: a file is damaged, or of a later version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(folder / WEIGHTS_FILE)
    except (SafetensorError, OSError) as error:
        raise RunError(f"{folder / WEIGHTS_FILE} is damaged: {first_line(error)}") from None
    content = {"hyper_parameters": read_json(folder / MODEL_FILE), "state_dict": state}
    return current_checkpoint(content, folder / MODEL_FILE)


def parts_of(checkpoint: dict[str, Any], path: Path, trust: Collection[str] = ()) -> Parts:
    """Return the model and the objective of a checkpoint.

    Args:
        checkpoint: content of the checkpoint.
        path: path that it was read from, for the messages.
        trust: modules of the user's own that the model may be made of.

    Raises:
        RunError: the checkpoint is of another version or not of this package.
        ConfigError: `trust` is not a list of names of modules.
    """
    trust = check_trust(trust)
    parameters = checkpoint.get("hyper_parameters")
    node = parameters.get("model") if isinstance(parameters, dict) else None
    if not isinstance(node, dict) or not is_node(node):
        raise RunError(
            f"{path} is not a checkpoint of this package: it does not say of which model of ours "
            "it is."
        )
    config = {name: node[name] for name in ("model", "objective") if name in node}
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
    return Parts(parts.model, parts.objective, node)


def is_node(node: dict[str, Any]) -> bool:
    """Return whether plain values are the node of a variant, or of a model by itself."""
    return is_final(node) and "model" in node


def with_weights(config: dict[str, Any], state: dict[str, Tensor]) -> TrainedParts:
    """Return the parts that a configuration describes, with some weights.

    Raises:
        ValueError: the weights are those of other parts.
    """
    with as_in_training():
        if all(is_exported(target, MODEL_MODULES) for target in targets_of(config)):
            refuse_other_sizes(config, state)
        parts = build_parts(OmegaConf.create(config))
        refuse_other_tensors(parts.state_dict(), state)
        parts.load_state_dict(state)
    return parts

"""A model in Python, written as files without code."""

import json
from pathlib import Path

import torch
from torch import Tensor

from reslag_vae._runtime.files import write_atomically
from reslag_vae.models import GenerativeModel
from reslag_vae.runs.describe import node_of, unmade
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.exported import refuse_other_files, use_of
from reslag_vae.runs.folder import CARD_FILE, MODEL_FILE, WEIGHTS_FILE
from reslag_vae.runs.migrations import SCHEMA
from reslag_vae.runs.weights import plain_tensors


def save(model: GenerativeModel, folder: str | Path) -> None:
    """Write a model into a new folder, which `reslag_vae.load` reads.

    Args:
        model: the model, as it is now. Its weights are written in float32, which models are loaded
            in.
        folder: the new folder. It may exist if it is empty.

    Raises:
        RunError: the folder holds something, the model is made of what only code can make, or its
            weights are not finite.
        WriteError: the folder cannot be written.
    """
    from safetensors.torch import save as as_bytes

    folder = Path(folder).expanduser()
    refuse_other_files(folder)
    foreign = unmade(model)
    if foreign is not None:
        raise RunError(
            f"{folder}: the model is made with a {foreign}, and files hold no code: make it in a "
            "subclass of Network, or keep its weights by torch.save(model.state_dict(), ...)."
        )
    try:
        node, state = node_of(model), weights_of_model(model)
    except ValueError as error:
        raise RunError(f"{folder}: the model cannot be written: {error}") from None
    content = {"schema": SCHEMA, "model": {"model": node}}
    text = use_of(folder.name, model.condition)
    weights = as_bytes(state, {"format": "pt"})
    write_atomically(folder / MODEL_FILE, json.dumps(content, indent=2) + "\n")
    write_atomically(folder / CARD_FILE, f"# {type(model).__name__}\n\n```python\n{text}\n```\n")
    # Last: an export whose weights are there is whole.
    write_atomically(folder / WEIGHTS_FILE, weights)


def weights_of_model(model: GenerativeModel) -> dict[str, Tensor]:
    """Return the weights of a model by name, as `load` takes them.

    Raises:
        ValueError: they hold numbers that are not finite.
    """
    state = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    if model.parameter.dtype != torch.float32:  # after half(), bfloat16() or double()
        state = {
            name: value.float() if value.is_floating_point() else value
            for name, value in state.items()
        }
    return plain_tensors(state)

"""What the files beside a model are told by: its weights, and the images of its run."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reslag_vae._runtime.errors import UserError
from reslag_vae.data.images import Images
from reslag_vae.models import GenerativeModel
from reslag_vae.runs.identity import changes


def digest(model: GenerativeModel) -> str:
    """Return a hexadecimal digest of a model's weights."""
    total = hashlib.blake2b(digest_size=16)
    for name, value in model.state_dict().items():
        total.update(f"{name}\0".encode())
        total.update(bytes_of(value))
    return total.hexdigest()


def bytes_of(tensor: Tensor) -> bytes:
    """Return the bytes of a tensor's numbers."""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def images_of_run(folder: Path, split: str) -> Images:
    """Return the images of a split of a run.

    Raises:
        UserError: the data are not there or not the same, or what reads them is not installed.
    """
    try:
        from reslag_vae.runs.data import load_data

        data: Any = load_data(folder)
    except ImportError as error:
        raise UserError(f"the data cannot be read without {error.name}") from None
    changed = changes(folder, data.inventory)
    if changed:
        raise UserError(f"the data are not those of the run: {changed}")
    images: Images = data.split(split)
    return images

"""The identity of a run, run.json: an id that its checkpoints share, and its data at the start."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import IDENTITY_FILE, config_path, read_result
from reslag_vae.runs.formats import read_json, write_json

if TYPE_CHECKING:
    from reslag_vae.data.inventory import Inventory

# What may be done about it, after each message on data that are not the same.
CONSEQUENCE = (
    "The model may have been trained on images that are in val or test now. If the data lie "
    "elsewhere, name that folder; to accept the change all the same: changed_data=accept."
)


def read_identity(folder: Path) -> dict[str, Any]:
    """Read a run's run.json; nothing if the file is missing, as in runs of version 0.1.

    Raises:
        RunError: the file is damaged.
    """
    content = read_json(folder / IDENTITY_FILE)
    digests = (
        content.get("data", {}).get("digests", {})
        if isinstance(content.get("data", {}), dict)
        else None
    )
    if content and not (isinstance(content.get("id"), str) and isinstance(digests, dict)):
        raise RunError(f"{folder / IDENTITY_FILE} is damaged: it is not the identity of a run.")
    return content


def new_identity(inventory: "Inventory") -> dict[str, Any]:
    """Return a new identity for a run that starts with some data."""
    return {"id": secrets.token_hex(8), "data": inventory.as_dict(), "changed_data": False}


def write_identity(folder: Path, identity: dict[str, Any]) -> None:
    """Write run.json, whole or not at all."""
    write_json(folder / IDENTITY_FILE, identity)


def id_of(checkpoint: dict[str, Any]) -> str | None:
    """Return the id of the run that a checkpoint is of; None if it has none, as of version 0.1."""
    parameters = checkpoint.get("hyper_parameters")
    own = parameters.get("run") if isinstance(parameters, dict) else None
    return own if isinstance(own, str) else None


def refuse_other(folder: Path, checkpoint: dict[str, Any], path: Path, config: Any) -> None:
    """Refuse a checkpoint that does not belong to a run.

    Args:
        folder: folder of the run.
        checkpoint: the checkpoint, read from `path`.
        path: path of the checkpoint.
        config: configuration of the run.

    Raises:
        RunError: the checkpoint is of another model than the run's configuration, or of another
            run.
    """
    parameters = checkpoint.get("hyper_parameters")
    own = parameters if isinstance(parameters, dict) else {}
    if own.get("model") != config["model"]:
        raise RunError(f"{path} is of another model than {config_path(folder)}.")
    identity = read_identity(folder).get("id")
    if identity is not None and id_of(checkpoint) not in (None, identity):
        raise RunError(f"{path} is of another run than {folder / IDENTITY_FILE}.")


def changes(folder: Path, inventory: "Inventory") -> str:
    """Return in words how data differ from those that a run started with; empty if they do not.

    A run without run.json is compared by the numbers of images in its result.
    """
    recorded = read_identity(folder).get("data") or {
        "images": read_result(folder).get("images", {})
    }
    parts = [difference(split, recorded, inventory) for split in inventory.images]
    return "; ".join(filter(None, parts))


def difference(split: str, recorded: dict[str, Any], inventory: "Inventory") -> str:
    """Return in words how one split differs from the recorded one; empty if it does not."""
    digest = recorded.get("digests", {}).get(split)
    now: int = dict(inventory.images)[split]
    before = recorded.get("images", {}).get(split, now)
    if before != now:
        return f"{split} had {before} images and has {now} now"
    if digest is not None and digest != dict(inventory.digests)[split]:
        same = f"{split} has as many images as before, {now}"
        return f"{same}, and they are not the same or not in that order"
    return ""

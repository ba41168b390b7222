"""The folder of a run: what is in it, and how to read it back."""

import csv
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reslag_vae.errors import UserError, first_line
from reslag_vae.files import write_atomically

if TYPE_CHECKING:
    import numpy as np

CHECKPOINTS = "checkpoints"
ID_FILE = "wandb_id.txt"
CONFIG_FILE = "config.yaml"
RESULT_FILE = "metrics.json"
METRICS_FILE = "metrics.csv"
PER_IMAGE_FILE = "per_image.npz"

# Of a model that was exported from its run
WEIGHTS_FILE = "model.safetensors"
MODEL_FILE = "config.json"
CARD_FILE = "README.md"


class RunError(UserError, RuntimeError):
    """A run's folder does not hold what is asked of it. The message names the file."""


def checkpoint_path(folder: Path, which: str) -> Path:
    """The run's `best` or `last` checkpoint.

    Raises:
        RunError: it is not there.
    """
    path = folder / CHECKPOINTS / f"{which}.ckpt"
    if not path.is_file():
        raise RunError(f"{path} is not there: the run has not finished its first epoch, or is not a run's folder.")
    return path


def checkpoint_to_resume(folder: Path) -> Path | None:
    """The newest checkpoint of a run; None if it has none.

    Raises:
        RunError: it is damaged; the message says whether the one before can take its place.
    """
    last, previous = (folder / CHECKPOINTS / f"{name}.ckpt" for name in ("last", "previous"))
    if not last.exists():  # a kill may have come between the two steps by which one takes the place of the other
        last = previous
    if not last.exists():
        return None
    try:
        read_checkpoint(last)
    except RunError as error:
        if last == previous or not previous.exists():
            raise
        try:
            epoch = read_checkpoint(previous).get("epoch", -1) + 1
        except RunError:
            raise error from None
        raise RunError(
            f"{error}. {previous.name}, of epoch {epoch}, is whole: remove {last.name}, and the run goes on from there."
        ) from None
    return last


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's plain containers and tensors, on the CPU. No code in it is ever run.

    Raises:
        RunError: the file is damaged.
    """
    import torch

    try:
        # PyTorch compares no checksums.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise RunError(f"the checksum of {damaged} in it is another")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        # PyTorch advises to load it all the same, with whatever code it may hold: not passed on.
        unsafe = isinstance(error, pickle.UnpicklingError)
        reason = "not plain tensors and containers" if unsafe else first_line(error)
        raise RunError(f"{path} is damaged or no checkpoint: {reason}") from None
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise RunError(f"{path} is not a checkpoint: it holds no state_dict.")
    return checkpoint


def config_path(folder: Path) -> Path:
    """The run's resolved configuration.

    Raises:
        RunError: it is not there.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise RunError(f"{path} is not there: {folder} is not the folder of a run.")
    return path


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's metrics.csv, one for each epoch; empty cells are left out. None if it is not there.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / METRICS_FILE
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise RunError(f"{path} is damaged: {error}") from None
    if not rows or "epoch" not in rows[0]:
        raise RunError(f"{path} is damaged: it has no column `epoch`, or no row.")
    return rows


def read_result(folder: Path) -> dict[str, Any]:
    """What a run's metrics.json says; nothing if it is not there.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / RESULT_FILE
    content = read_json(path)
    if not isinstance(content.get("images", {}), dict):
        raise RunError(f"{path} is damaged: it is not the result of a run.")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing if it is not there.

    Raises:
        RunError: the file is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged: it holds no names and values.")
    return content


def read_config(folder: Path) -> dict[str, Any]:
    """A run's config.yaml in plain containers.

    Raises:
        RunError: it is missing or damaged.
    """
    from omegaconf import OmegaConf

    path = config_path(folder)
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        raise RunError(f"{path} is damaged: {first_line(error)}") from None
    if not isinstance(content, dict) or not content:
        raise RunError(f"{path} is damaged: it is not the configuration of a run.")
    return {str(name): value for name, value in content.items()}


def monitored_value(folder: Path) -> float | None:
    """The value by which the best epoch of a finished run was chosen; None if it has not finished.

    Raises:
        RunError: metrics.json is damaged.
    """
    result = read_result(folder)
    if not result:
        return None
    try:
        return float(result["monitored"]["value"])
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{folder / RESULT_FILE} does not say by which value its epoch was chosen.") from None


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """metrics.json; see `write_json`."""
    write_json(folder / RESULT_FILE, result)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all; numbers that JSON cannot hold become null."""
    write_atomically(path, json.dumps(finite(content), indent=2, allow_nan=False) + "\n")


def write_arrays(path: Path, arrays: dict[str, "np.ndarray"]) -> None:
    """Named arrays as a compressed NPZ file, whole or not at all."""
    import numpy as np

    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]  # numpy's stubs take names for options
    write_atomically(path, content.getvalue())


def read_arrays(path: Path) -> dict[str, "np.ndarray"]:
    """Named arrays; none if the file is not there. No code in it is ever run.

    Raises:
        RunError: the file is damaged.
    """
    import numpy as np

    try:
        # From memory: of a damaged file numpy would leave the handle open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return dict(file)
    except FileNotFoundError:
        return {}
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        raise RunError(f"{path} is damaged: {first_line(error)}") from None


def finite(value: Any) -> Any:
    """The tree with infinities and NaN replaced by None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value

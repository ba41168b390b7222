"""The folder of a run: what is in it, and how to read it back."""

import csv
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reslag_vae._runtime.errors import UserError, first_line
from reslag_vae._runtime.files import UNFINISHED, remove_unfinished, write_atomically
from reslag_vae.runs.migrations import migrated_checkpoint

if TYPE_CHECKING:
    import numpy as np

CHECKPOINTS = "checkpoints"
ID_FILE = "wandb_id.txt"
CONFIG_FILE = "config.yaml"
IDENTITY_FILE = "run.json"
RESULT_FILE = "metrics.json"
METRICS_FILE = "metrics.csv"
PER_IMAGE_FILE = "per_image.npz"

LOG_FILE = "train.log"
FIGURES = "figures"
MOST_DIGITS = 30

# What training writes, for what a kill leaves of it
WRITTEN = {
    ".": (
        CONFIG_FILE,
        IDENTITY_FILE,
        RESULT_FILE,
        METRICS_FILE,
        PER_IMAGE_FILE,
        ID_FILE,
        "failed.json",
    ),
    FIGURES: ("*.png",),
    CHECKPOINTS: (f"best{UNFINISHED}", f"last{UNFINISHED}"),
}

# Of a model that was exported from its run
WEIGHTS_FILE = "model.safetensors"
MODEL_FILE = "config.json"
CARD_FILE = "README.md"

# The files of a run hold some kB; metrics.csv and evaluation.json may grow to some MB.
MOST_BYTES = 1 << 26
MOST_ARRAY_BYTES = 1 << 28


def clean(folder: Path) -> None:
    """Remove what a kill has left of a run's files, by their names; nobody may train in the folder."""
    for place, names in WRITTEN.items():
        remove_unfinished(folder / place, names)
    for name in (f"{which}{UNFINISHED}" for which in ("best", "last")):
        if (folder / CHECKPOINTS / name).is_file():
            (folder / CHECKPOINTS / name).unlink()


class RunError(UserError, RuntimeError):
    """A run's folder does not hold what is asked of it. The message names the file."""


def checkpoint_path(folder: Path, which: str) -> Path:
    """The run's `best` or `last` checkpoint.

    Raises:
        RunError: it is not there.
    """
    path = folder / CHECKPOINTS / f"{which}.ckpt"
    if path.is_file():
        return path
    previous = path.with_name("previous.ckpt")
    if which == "last" and previous.is_file():
        raise RunError(
            f"{path} is not there, but {previous.name} of the epoch before is: give that file, or go on with the run."
        )
    if (folder / MODEL_FILE).is_file():
        raise RunError(
            f"{folder} is an export that was interrupted, without {WEIGHTS_FILE}: export the run again."
        )
    raise RunError(
        f"{path} is not there: the run has not finished its first epoch, or is not a run's folder."
    )


def checkpoint_to_resume(folder: Path) -> Path | None:
    """The newest checkpoint of a run; None if it was interrupted in its first epoch.

    Raises:
        RunError: it is damaged, or gone though the run had one; the message says whether another
            can take its place.
    """
    last, previous = (folder / CHECKPOINTS / f"{name}.ckpt" for name in ("last", "previous"))
    if (
        not last.exists()
    ):  # a kill may have come between the two steps by which one takes the place of the other
        last = previous
    if not last.exists():
        refuse_lost(folder)
        return None
    try:
        read_checkpoint(last)
    except RunError as error:
        if last == previous or not previous.exists():
            raise
        try:
            epoch = epoch_of(read_checkpoint(previous), previous)
        except RunError:
            raise error from None
        raise RunError(
            f"{error}. {previous.name}, of epoch {epoch}, is whole: remove {last.name}, and the run goes on from there."
        ) from None
    return last


def refuse_lost(folder: Path) -> None:
    """Refuse a run that has finished an epoch and has no checkpoint to go on from: it would begin anew.

    Raises:
        RunError: naming what is gone.
    """
    # A kill in the first epoch's end leaves a row of metrics, and perhaps the best checkpoint.
    if (folder / RESULT_FILE).exists() or len(read_metrics(folder)) > 1:
        raise RunError(
            f"{folder / CHECKPOINTS / 'last.ckpt'} and previous.ckpt are gone, and without one of them the run cannot "
            "go on: put it back, or train anew in another folder."
        )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's plain containers and tensors, on the CPU. No code in it is ever run.

    Raises:
        RunError: the file is damaged.
    """
    import torch

    try:
        # PyTorch compares no checksums, and inflates what it did not deflate.
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > path.stat().st_size:
                raise ValueError("it would grow when it is read, which PyTorch's own do not")
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} in it is another")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        # PyTorch advises to load it all the same, with whatever code it may hold: not passed on.
        unsafe = isinstance(error, pickle.UnpicklingError)
        reason = "not plain tensors and containers" if unsafe else first_line(error)
        raise RunError(f"{path} is damaged or no checkpoint: {reason}") from None
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise RunError(f"{path} is not a checkpoint: it holds no state_dict.")
    return migrated_checkpoint(checkpoint)


def epoch_of(checkpoint: dict[str, Any], path: Path) -> int:
    """The epoch at whose end a checkpoint was written, from 1.

    Raises:
        RunError: it does not say.
    """
    epoch = checkpoint.get("epoch")
    if type(epoch) is not int or epoch < 0:
        raise RunError(
            f"{path} is not a checkpoint of this package: it does not say of which epoch it is."
        )
    return epoch + 1


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
        lines = io.StringIO(read_bytes(path, MOST_BYTES).decode("utf-8"), newline="")
        rows = [
            {name: float(cell) for name, cell in row.items() if cell}
            for row in csv.DictReader(lines)
        ]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, csv.Error) as error:
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
        content = json.loads(read_bytes(path, MOST_BYTES).decode("utf-8"), parse_int=whole)
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: {first_line(error)}") from None
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged: it holds no names and values.")
    return content


def whole(digits: str) -> int:
    """A whole number of a JSON file, as large as any of ours.

    Raises:
        ValueError: it has more digits.
    """
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"it holds a number of {len(digits)} digits")
    return int(digits)


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a file that may come from anywhere.

    Raises:
        FileNotFoundError: it is not there.
        RunError: it is no regular file, larger than `most` bytes, or cannot be read.
    """
    try:
        if not path.is_file():
            if path.exists():
                raise RunError(f"{path} is damaged: it is not a file.")
            raise FileNotFoundError(path)
        if path.stat().st_size > most:
            raise RunError(
                f"{path} is damaged: it is larger than such a file can be ({most:,} bytes)."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from None


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
        raise RunError(
            f"{folder / RESULT_FILE} does not say by which value its epoch was chosen."
        ) from None


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
        content = io.BytesIO(read_bytes(path, MOST_BYTES))
        with zipfile.ZipFile(content) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > MOST_ARRAY_BYTES:
            raise ValueError(f"it would take {size:,} bytes")
        with np.load(content, allow_pickle=False) as file:
            return dict(file)
    except FileNotFoundError:
        return {}
    except RunError:
        raise
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

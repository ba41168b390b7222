"""The folder of a run: what is in it, and how to read it back."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reslag_vae._runtime.errors import UserError, first_line
from reslag_vae._runtime.files import UNFINISHED, remove_unfinished, write_atomically

if TYPE_CHECKING:
    import numpy as np

CONFIG_FILE = "config.yaml"
IDENTITY_FILE = "run.json"
METRICS_CSV = "metrics.csv"
RESULT_FILE = "metrics.json"
PER_IMAGE_FILE = "per_image.npz"
EVALUATION_FILE, EVALUATIONS = "evaluation.json", "evaluation*.json"
FAILURE_FILE = "failed.json"
LOCK_FILE = ".lock"
LOG_FILE = "train.log"

CHECKPOINTS = "checkpoints"
FIGURES = "figures"

# Where runs lie in a folder of runs, or in that of a study.
RUNS_BELOW = ("*", "*/*", "*/*/*", "results/*/*/*")

# W&B's own files, its id of the run, and how many steps it has of the run: an offline segment of a
# resumed run does not know of those before it.
DASHBOARD = "wandb"
ID_FILE = "wandb_id.txt"
STEP_FILE = "wandb_step.txt"

# What training writes, for what a kill leaves of it
WRITTEN = {
    ".": (
        CONFIG_FILE,
        IDENTITY_FILE,
        RESULT_FILE,
        METRICS_CSV,
        PER_IMAGE_FILE,
        ID_FILE,
        FAILURE_FILE,
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
MOST_DIGITS = 30


class RunError(UserError, RuntimeError):
    """A run's folder does not hold what is asked of it. The message names the file."""


def checkpoint_file(folder: Path, name: str) -> Path:
    """Where a run keeps its checkpoint `best`, `last` or `previous`, which need not be there."""
    return folder / CHECKPOINTS / f"{name}.ckpt"


def checkpoint_files(folder: Path) -> list[Path]:
    """The checkpoints of a run that are there, in the order of their names."""
    return sorted((folder / CHECKPOINTS).glob("*.ckpt"))


def figure_file(folder: Path, name: str) -> Path:
    """Where a run keeps the picture of that name of its training, which need not be there."""
    return folder / FIGURES / f"{name}.png"


def figure_files(folder: Path) -> list[Path]:
    """The pictures of a run's training that are there, in the order of their names."""
    return sorted((folder / FIGURES).glob("*.png"))


def evaluation_file(folder: Path, split: str, checkpoint: str) -> Path:
    """Where a run keeps an evaluation, which need not be there.

    It is evaluation.json of the test split and the best checkpoint; others are in the file's name.
    """
    label = label_of(split, checkpoint)
    return folder / (EVALUATION_FILE if label == "test" else f"evaluation_{label}.json")


def evaluation_figures(folder: Path, split: str, checkpoint: str) -> Path:
    """The folder of the pictures of an evaluation, among those of the run's training."""
    return folder / FIGURES / label_of(split, checkpoint)


def label_of(split: str, checkpoint: str) -> str:
    """The split, and the checkpoint if it is not the best."""
    return split if checkpoint == "best" else f"{split}_{checkpoint}"


def clean(folder: Path) -> None:
    """Remove what a kill has left of a run's files; nobody may train in the folder."""
    for place, names in WRITTEN.items():
        remove_unfinished(folder / place, names)
    for name in (f"{which}{UNFINISHED}" for which in ("best", "last")):
        if (folder / CHECKPOINTS / name).is_file():
            (folder / CHECKPOINTS / name).unlink()


def config_path(folder: Path) -> Path:
    """The run's resolved configuration.

    Raises:
        RunError: it is not there.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        refuse_folder_of_runs(folder)
        raise RunError(f"{path} is not there: {folder} is not the folder of a run.")
    return path


def refuse_folder_of_runs(folder: Path) -> None:
    """Refuse a folder that is no run's own, but holds those of runs.

    Raises:
        RunError: naming one of them.
    """
    if (folder / CONFIG_FILE).is_file():
        return
    for below in RUNS_BELOW:
        for checkpoints in folder.glob(f"{below}/{CHECKPOINTS}"):
            raise RunError(
                f"{folder} is not the folder of a run, but holds those of runs: give one of them, "
                f"such as {checkpoints.parent}."
            )


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's metrics.csv, one for each epoch; none if it is not there.

    Empty cells are left out.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / METRICS_CSV
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


def is_finished(folder: Path) -> bool:
    """Return whether a run is finished: of all its files metrics.json is written last."""
    return (folder / RESULT_FILE).is_file()


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Write a run's metrics.json, which says that the run is finished; see `write_json`."""
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

"""The folder of a run: the name of every file in it, and how to read its tables of numbers."""

import csv
import io
from pathlib import Path
from typing import Any

from reslag_vae._runtime.files import UNFINISHED, remove_unfinished
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.formats import MOST_BYTES, read_bytes, read_json, write_json

CONFIG_FILE = "config.yaml"
IDENTITY_FILE = "run.json"
METRICS_CSV = "metrics.csv"
STEPS_CSV = "steps.csv"
RESULT_FILE = "metrics.json"
PER_IMAGE_FILE = "per_image.npz"
IMAGES_FILE = "images.npz"
EVALUATION_FILE, EVALUATIONS = "evaluation.json", ("evaluation*.json", "evaluation*.npz")
FAILURE_FILE = "failed.json"
LOCK_FILE = ".lock"
LOG_FILE = "train.log"

CHECKPOINTS = "checkpoints"
FIGURES = "figures"
CURVES = "curves"  # the picture of training

# Where runs lie in a folder of runs, or in that of a study.
RUNS_BELOW = ("*", "*/*", "*/*/*", "results/*/*/*")

# W&B's own files, its id of the run, and how many steps it has of the run: an offline segment of a
# resumed run does not know of those before it.
DASHBOARD = "wandb"
ID_FILE = "wandb_id.txt"
STEP_FILE = "wandb_step.txt"

# Files of a model that was exported from its run
WEIGHTS_FILE = "model.safetensors"
MODEL_FILE = "config.json"
CARD_FILE = "README.md"

# How pictures become a model's images, some of these, and how validation images score: in runs and
# exports, both
FORMAT_FILE = "pictures.json"
EXAMPLES_FILE = "examples.png"
SCORES_FILE = "scores.json"
TRAVELLING = (FORMAT_FILE, EXAMPLES_FILE, SCORES_FILE)

# The samplers that were fitted to its training images: in runs that were asked for one, and exports
SAMPLERS_FILE = "samplers.safetensors"

# Files that training writes, of which a kill may leave unfinished ones
WRITTEN = {
    ".": (
        CONFIG_FILE,
        IDENTITY_FILE,
        RESULT_FILE,
        METRICS_CSV,
        STEPS_CSV,
        PER_IMAGE_FILE,
        IMAGES_FILE,
        ID_FILE,
        STEP_FILE,
        FAILURE_FILE,
        *TRAVELLING,
        SAMPLERS_FILE,
    ),
    FIGURES: ("*.png", "*.npz"),
    CHECKPOINTS: (f"best{UNFINISHED}", f"last{UNFINISHED}"),
}


def checkpoint_file(folder: Path, name: str) -> Path:
    """Return the path of a run's checkpoint, which need not exist.

    Args:
        folder: folder of the run.
        name: `best`, `last` or `previous`.
    """
    return folder / CHECKPOINTS / f"{name}.ckpt"


def checkpoint_files(folder: Path) -> list[Path]:
    """Return the paths of a run's existing checkpoints, sorted by name."""
    return sorted((folder / CHECKPOINTS).glob("*.ckpt"))


def figure_file(folder: Path, name: str) -> Path:
    """Return the path of a picture that a run's training draws, which need not exist.

    Args:
        folder: folder of the run.
        name: name of the picture, such as `reconstructions`.
    """
    return folder / FIGURES / f"{name}.png"


def figure_files(folder: Path) -> list[Path]:
    """Return the paths of the existing pictures of a run's training, sorted by name."""
    return sorted((folder / FIGURES).glob("*.png"))


def drawn_images_file(folder: Path) -> Path:
    """Return the path of the images that the pictures of a run's training show.

    It need not exist.
    """
    return folder / FIGURES / "images.npz"


def evaluation_file(folder: Path, split: str, checkpoint: str) -> Path:
    """Return the path of the numbers of an evaluation, which need not exist.

    It is evaluation.json for the test split and the best checkpoint. Others have the split and the
    checkpoint in their names.
    """
    label = label_of(split, checkpoint)
    return folder / (EVALUATION_FILE if label == "test" else f"evaluation_{label}.json")


def evaluation_images_file(folder: Path, split: str, checkpoint: str) -> Path:
    """Return the path of an evaluation's numbers of each image, which need not exist."""
    return evaluation_file(folder, split, checkpoint).with_suffix(".npz")


def evaluation_figures(folder: Path, split: str, checkpoint: str) -> Path:
    """Return the folder of the pictures of an evaluation, which need not exist."""
    return folder / FIGURES / label_of(split, checkpoint)


def label_of(split: str, checkpoint: str) -> str:
    """Return the split, followed by the checkpoint unless it is the best: `val`, `test_last`."""
    return split if checkpoint == "best" else f"{split}_{checkpoint}"


def clean(folder: Path) -> None:
    """Remove the unfinished files that a killed process has left in a run's folder.

    No other process may be training in the folder.
    """
    for place, names in WRITTEN.items():
        remove_unfinished(folder / place, names)
    for name in (f"{which}{UNFINISHED}" for which in ("best", "last")):
        if (folder / CHECKPOINTS / name).is_file():
            (folder / CHECKPOINTS / name).unlink()


def config_path(folder: Path) -> Path:
    """Return the path of a run's resolved configuration.

    Raises:
        RunError: the file is missing.
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
    """Read the rows of a run's metrics.csv, one for each epoch; none if the file is missing.

    Raises:
        RunError: the file is damaged.
    """
    return read_rows(folder / METRICS_CSV)


def read_rows(path: Path) -> list[dict[str, float]]:
    """Read a run's table of numbers by epoch; none if the file is missing.

    Empty cells are left out.

    Raises:
        RunError: the file is damaged.
    """
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
    """Read a run's metrics.json; nothing if the file is missing.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / RESULT_FILE
    content = read_json(path)
    if not isinstance(content.get("images", {}), dict):
        raise RunError(f"{path} is damaged: it is not the result of a run.")
    return content


def monitored_value(folder: Path) -> float | None:
    """Return the value that chose a finished run's best epoch; None if the run has not finished.

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

"""The files of evaluations that a study's report reads: evaluation.json and numbers of images."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from reslag_vae.evaluation.metrics.sharpness import UPPER_POWERS, values_of_images
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import EVALUATION_FILE, evaluation_images_file
from reslag_vae.runs.formats import read_arrays, read_json
from reslag_vae.studies.plan import RESULTS, TEST_SETS
from reslag_vae.studies.record import is_number


def read_evaluation(folder: Path, epoch: int) -> dict[str, Any]:
    """Read evaluation.json; nothing if it does not exist.

    Args:
        folder: folder of the file.
        epoch: epoch of the run's result.

    Raises:
        RunError: the file is damaged, or of another epoch.
    """
    path = folder / EVALUATION_FILE
    content = read_json(path)
    if content and not isinstance(content.get("numbers"), dict):
        raise RunError(f"{path} is damaged: it is not an evaluation.")
    if not are_spectra(content.get("spectra", {})):
        raise RunError(f"{path} is damaged: its spectra are none.")
    if content and content.get("epoch") != epoch:
        raise RunError(
            f"{path} is of epoch {content.get('epoch')}, and the run's result of epoch {epoch}: "
            "evaluate it anew, or remove the file."
        )
    return content


def are_spectra(found: object) -> bool:
    """Return whether a part of evaluation.json has frequencies and as many powers of each source.

    A power that is not finite is null. An evaluation of an earlier version has none.
    """
    if not isinstance(found, dict):
        return False
    lists = {name: own for name, own in found.items() if isinstance(own, list)}
    numbers = all(is_number(own) for values in lists.values() for own in values)
    alike = len({len(own) for own in lists.values()}) <= 1
    return not found or (numbers and alike and lists.keys() >= {"frequencies", "originals"})


def number_in(evaluation: dict[str, Any], *keys: str) -> float | None:
    """Return a number of evaluation.json by its group, its name, and `value` or `error`."""
    node: object = evaluation.get("numbers")
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return float(node) if isinstance(node, int | float) else None


def further_test_sets(run: Path) -> list[Path]:
    """Return the folders of the further test sets of a run's study, by name."""
    results = run.parents[2]
    if results.name != RESULTS:
        return []
    return sorted(path for path in (results.parent / TEST_SETS).glob("*") if path.is_dir())


def read_evaluated(folder: Path, evaluation: dict[str, Any]) -> dict[str, np.ndarray]:
    """Read an evaluation's values of each image; nothing if they were not written.

    Raises:
        RunError: the file is damaged, or of another evaluation than evaluation.json.
    """
    path = evaluation_images_file(folder, "test", "best")
    arrays = read_per_image(path) if evaluation else {}
    powers = {name: torch.from_numpy(arrays.pop(name)) for name in UPPER_POWERS if name in arrays}
    detail = {name: own.numpy() for name, own in values_of_images(powers).items()}
    for group, found in (("likelihood", arrays), ("sharpness", detail)):
        for name, values in found.items():
            stated = evaluation["numbers"].get(group, {}).get(name, {}).get("value")
            if not isinstance(stated, float) or not np.isclose(
                values.mean(), stated, rtol=1e-6, atol=1e-6
            ):
                raise RunError(
                    f"{path} is not of the evaluation in {EVALUATION_FILE}: evaluate the run anew, "
                    "or remove the file."
                )
    return arrays | detail


def read_per_image(path: Path) -> dict[str, np.ndarray]:
    """Read per_image.npz; nothing if it does not exist.

    Raises:
        RunError: the file is damaged, or holds anything but one number for each image.
    """
    arrays = read_arrays(path)
    count = next((values.size for values in arrays.values()), 0)
    for name, values in arrays.items():
        if values.ndim != 1 or values.dtype.kind != "f" or len(values) != count:
            raise RunError(
                f"{path} is damaged: {name} is {values.dtype} of {values.shape}, not a number for "
                "each image."
            )
    return arrays

"""The scores of validation images, by which those of pictures become percentiles: scores.json."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from reslag_vae._runtime.errors import UserError, first_line
from reslag_vae._runtime.files import WriteError
from reslag_vae.apply.model_of_run import digest, images_of_run
from reslag_vae.apply.scores import MINUS_LOG_P, SAMPLES, SQUARED_ERROR, Scorer, scorer_of
from reslag_vae.data.images import Images
from reslag_vae.evaluation.iteration import evaluating, given_chunks
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import CONFIG_FILE, SCORES_FILE
from reslag_vae.runs.formats import read_json, write_json

SCHEMA = 1

# Validation images that are scored, at most, evenly spread: a percentile is known to a tenth.
MOST_IMAGES = 1000


class Calibration(NamedTuple):
    """The scores of validation images.

    Attributes:
        scores: (N,) rising scores by name; empty where they are not known.
        variance: mean squared error of these images, the variance of a likelihood that has none of
            its own; None where it is not known.
        missing: reason why there are none; empty where there are some.
    """

    scores: dict[str, np.ndarray]
    variance: float | None = None
    missing: str = ""


def calibrate(model: GenerativeModel, objective: Objective | None, images: Images) -> Calibration:
    """Return the scores of validation images.

    Args:
        model: the model.
        objective: the objective that it was trained with; None if it is not known.
        images: the validation split.
    """
    count = min(MOST_IMAGES, len(images))
    part = images.part(torch.linspace(0, len(images) - 1, count).round().long())
    own = scorer_of(model, objective)
    with evaluating(model):
        columns = scores_of(own, part)
        variance = float(columns[SQUARED_ERROR].mean()) / model.dimensions
        if own.likelihood is None and variance > 0:
            own = scorer_of(model, objective, variance)
            columns = columns if own.likelihood is None else scores_of(own, part)
    finite = {name: np.sort(values[np.isfinite(values)]) for name, values in columns.items()}
    return Calibration({name: own for name, own in finite.items() if len(own)}, variance)


def scores_of(scorer: Scorer, images: Images) -> dict[str, np.ndarray]:
    """Return the (N,) scores of a split, by name."""
    parts = [
        scorer._replace(model=own).scores(part) for own, part in given_chunks(scorer.model, images)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def save_calibration(folder: Path, calibration: Calibration, model: GenerativeModel) -> None:
    """Write scores.json into the folder of a run.

    Args:
        folder: folder of the run.
        calibration: scores of validation images.
        model: the model that they are of.
    """
    content = {
        "schema": SCHEMA,
        "weights": digest(model),
        "samples": SAMPLES,
        "variance": calibration.variance,
        "scores": {name: values.tolist() for name, values in calibration.scores.items()},
    }
    write_json(folder / SCORES_FILE, content)


def read_calibration(folder: Path, model: GenerativeModel) -> Calibration | None:
    """Return the calibration of a run or an export; None if it has none of this model.

    Raises:
        RunError: scores.json is damaged.
    """
    path = folder / SCORES_FILE
    content = read_json(path)
    if content.get("schema") != SCHEMA or content.get("samples") != SAMPLES:
        return None
    if content.get("weights") != digest(model):
        return None
    try:
        scores = {
            name: np.array(values, np.float64)
            for name, values in content["scores"].items()
            if name in (SQUARED_ERROR, MINUS_LOG_P)
        }
        variance = None if content["variance"] is None else float(content["variance"])
        rising = [is_rising(values) for values in scores.values()]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RunError(f"{path} is damaged: it does not hold scores.") from None
    if not all(rising):
        raise RunError(f"{path} is damaged: it does not hold scores that rise.")
    return Calibration(scores, variance)


def is_rising(values: np.ndarray) -> bool:
    """Return whether values are a line of numbers, at least one, none below the one before."""
    return values.ndim == 1 and len(values) > 0 and bool((np.diff(values) >= 0).all())


def calibration_of(
    folder: Path, model: GenerativeModel, objective: Objective | None, keep: bool = True
) -> Calibration:
    """Return the calibration of a run or an export.

    A run of an earlier version is calibrated now if its data are there, and keeps the scores.

    Args:
        folder: folder of the run or the export.
        model: its model.
        objective: the objective that it was trained with; None if it is not known.
        keep: whether new scores take the place of those that the run has: see `Subject.best`.

    Raises:
        RunError: scores.json is damaged.
    """
    known = read_calibration(folder, model)
    if known is not None:
        return known
    if not (folder / CONFIG_FILE).is_file():
        return Calibration({}, missing=f"{folder} has none of validation images")
    try:
        images = images_of_run(folder, "val")
    except UserError as error:
        # Advice that follows names the options of other commands.
        return Calibration({}, missing=first_line(error).partition(". ")[0])
    calibration = calibrate(model, objective, images)
    if keep:
        with suppress(WriteError):  # of another user's run
            save_calibration(folder, calibration, model)
    return calibration

"""The finished runs of a study, read from its folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from omegaconf import OmegaConf

from reslag_vae.errors import first_line
from reslag_vae.runs import (
    CONFIG_FILE,
    PER_IMAGE_FILE,
    RESULT_FILE,
    RunError,
    read_arrays,
    read_metrics,
    read_result,
)
from reslag_vae.study.plan import RESULTS

EVALUATION_FILE = "evaluation.json"

# What metrics.json must say.
NEEDED = {"val", "test", "model", "objective", "parameters", "images", "yardstick_sigma2"}


class Finished(NamedTuple):
    """A finished run of a study.

    Attributes:
        folder: of the run.
        data: its data set.
        row: its place in the tables, the same for every seed.
        seed: of training.
        result: metrics.json.
        config: config.yaml.
        history: metrics.csv.
        per_image: (N,) values of the test split by name.
        evaluation: evaluation.json; empty if the run was not evaluated.
    """

    folder: Path
    data: str
    row: str
    seed: int
    result: dict[str, Any]
    config: dict[str, Any]
    history: list[dict[str, float]]
    per_image: dict[str, np.ndarray]
    evaluation: dict[str, Any]

    @property
    def dimensions(self) -> int:
        """Numbers of an image."""
        return int(np.prod(self.config["recipe"]["image_shape"]))

    def picture(self, name: str) -> Path | None:
        """A picture of the run; None if it is not there."""
        path = self.folder / "figures" / f"{name}.png"
        return path if path.is_file() else None

    def evaluated(self, group: str, name: str) -> float | None:
        """A number of evaluation.json; None if it is not there."""
        numbers: Mapping[str, Any] = self.evaluation.get("numbers", {})
        value = numbers.get(group, {}).get(name, {}).get("value")
        return None if value is None else float(value)


def read_finished(study: Path) -> list[Finished]:
    """Every finished run of a study: `results/<data>/<row>/seed_<seed>/`.

    Raises:
        RunError: there is none, or a file of one is damaged.
    """
    paths = sorted(study.glob(f"{RESULTS}/*/*/seed_*/{RESULT_FILE}"))
    if not paths:
        raise RunError(f"{study} has no finished run: there is no {RESULTS}/<data>/<row>/seed_<seed>/{RESULT_FILE}.")
    return [read_run(path.parent) for path in paths]


def read_run(folder: Path) -> Finished:
    """One of them.

    Raises:
        RunError: a file is damaged.
    """
    result, config = read_result(folder), read_config(folder / CONFIG_FILE)
    lacking = sorted(NEEDED - result.keys())
    if lacking or not isinstance(result["test"], dict) or not isinstance(result["test"].get("rec"), float | int):
        raise RunError(f"{folder / RESULT_FILE} is damaged, or not of this package: it lacks {', '.join(lacking)}.")
    data, row, seed = folder.parts[-3:]
    return Finished(
        folder=folder,
        data=data,
        row=row,
        seed=int(seed.removeprefix("seed_")),
        result=result,
        config=config,
        history=read_metrics(folder),
        per_image=read_arrays(folder / PER_IMAGE_FILE),
        evaluation=read_evaluation(folder / EVALUATION_FILE),
    )


def read_config(path: Path) -> dict[str, Any]:
    """config.yaml.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        raise RunError(f"{path} is damaged: {first_line(error)}") from None
    if not isinstance(content, dict) or not {"recipe", "trainer", "objective"} <= content.keys():
        raise RunError(f"{path} is damaged: it is not the configuration of a run of this package.")
    return {str(name): value for name, value in content.items()}


def read_evaluation(path: Path) -> dict[str, Any]:
    """evaluation.json; nothing if it is not there.

    Raises:
        RunError: it is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("numbers"), dict):
        raise RunError(f"{path} is damaged: it is not an evaluation.")
    return content

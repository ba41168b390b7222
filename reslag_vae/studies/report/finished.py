"""The finished runs of a study, read from its folder."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reslag_vae import likelihoods
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import (
    PER_IMAGE_FILE,
    RESULT_FILE,
    figure_file,
    read_metrics,
)
from reslag_vae.studies.plan import RESULTS, results_of
from reslag_vae.studies.record import read_record
from reslag_vae.studies.report.evaluated import (
    further_test_sets,
    number_in,
    read_evaluated,
    read_evaluation,
    read_per_image,
)

SEED = re.compile(r"seed_\d+")

SECONDS_PER_HOUR = 3600

# Settings of an evaluation that a group of its numbers depends on; the others depend on all.
DEPENDS = {
    "thesis": ("split", "seed"),
    "yardstick": ("split", "seed"),
    "reconstruction": ("split", "seed"),
    "likelihood": ("split", "reference", "seed", "samples"),
    "sharpness": ("split", "reference", "seed"),
    "perceptual": ("split", "reference", "seed"),
}


class FinishedRun(NamedTuple):
    """A finished run of a study.

    Attributes:
        folder: the run's folder.
        data: name of the run's data set.
        row: the run's row in the tables, the same for every seed.
        seed: seed of training.
        result: content of metrics.json.
        config: content of config.yaml.
        history: rows of metrics.csv.
        per_image: (N,) values of the test images by name.
        evaluation: content of evaluation.json; empty if the run was not evaluated.
        evaluated: (N,) values of the evaluation's reference images, by name of the number of
            evaluation.json whose mean they are; empty without them.
        elsewhere: contents of evaluations on further test sets, by name of the test set.
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
    evaluated: dict[str, np.ndarray]
    elsewhere: dict[str, dict[str, Any]]

    @property
    def hours(self) -> float:
        """Hours of training; 0 where they are not on record."""
        return float(self.result.get("seconds", 0)) / SECONDS_PER_HOUR

    @property
    def dimensions(self) -> int:
        """The number of numbers in an image."""
        return int(np.prod(self.config["recipe"]["image_shape"]))

    @property
    def has_mean(self) -> bool:
        """Whether Rec is between an image and its reconstruction: see `Likelihood.has_mean`."""
        return self.likelihood.has_mean

    @property
    def is_mass(self) -> bool:
        """Whether the likelihood is a mass, whose nats compare with those of masses alone."""
        return self.likelihood.discrete

    @property
    def likelihood(self) -> type[likelihoods.Likelihood]:
        """The class of the run's likelihood; of one that is not this package's, their base."""
        target = str(self.config.get("likelihood", {}).get("_target_", ""))
        found = getattr(likelihoods, target.rpartition(".")[2], None)
        return found if isinstance(found, type) else likelihoods.Likelihood

    @property
    def notes(self) -> list[str]:
        """Peculiarities of the run's data; empty if the run has no inventory."""
        notes = self.result.get("inventory", {}).get("notes", [])
        return [str(note) for note in notes] if isinstance(notes, list) else []

    @property
    def test_digest(self) -> str | None:
        """The digest of the run's test images; None if the run has no inventory."""
        digests = self.result.get("inventory", {}).get("digests", {})
        return digests.get("test") if isinstance(digests, dict) else None

    def picture(self, name: str) -> Path | None:
        """Return the path of a picture of the run; None if the picture is missing.

        Args:
            name: name of the picture, such as `reconstructions`.
        """
        path = figure_file(self.folder, name)
        return path if path.is_file() else None

    def evaluation_settings(self, group: str) -> dict[str, Any]:
        """Return what a group of numbers of evaluation.json depends on, by name.

        It is empty without an evaluation.
        """
        found = self.evaluation.get("settings", {})
        return {name: found.get(name) for name in DEPENDS.get(group, found)} if found else {}

    def evaluation_value(self, group: str, name: str, test_set: str | None = None) -> float | None:
        """Return a number of evaluation.json; None if it is missing.

        Args:
            group: group of the number.
            name: name of the number.
            test_set: name of a further test set; None is the run's own.
        """
        content = self.evaluation if test_set is None else self.elsewhere.get(test_set, {})
        return number_in(content, group, name, "value")

    def evaluation_error(self, group: str, name: str) -> float | None:
        """Return the standard error over images of a number of evaluation.json, if it has one."""
        return number_in(self.evaluation, group, name, "error")

    @property
    def spectra(self) -> dict[str, np.ndarray]:
        """The (R,) frequencies of the evaluation's spectra and the powers at them, by source.

        It is empty if the evaluation has none.
        """
        found = self.evaluation.get("spectra", {}).items()
        return {name: np.array(own, dtype=float) for name, own in found if isinstance(own, list)}


def read_finished_runs(study: Path) -> list[FinishedRun]:
    """Read every finished run of a study: `results/<data>/<row>/seed_<seed>/`.

    Raises:
        RunError: there is no finished run, or a file of one is damaged.
    """
    results = results_of(study)
    paths = sorted(
        path
        for path in results.glob(f"*/*/seed_*/{RESULT_FILE}")
        if SEED.fullmatch(path.parent.name)
    )
    if not paths:
        raise RunError(
            f"{study} has no finished run: there is no "
            f"{RESULTS}/<data>/<row>/seed_<seed>/{RESULT_FILE}."
        )
    return [read_run(path.parent) for path in paths]


def read_run(folder: Path) -> FinishedRun:
    """Read one finished run from its folder.

    Raises:
        RunError: a file is damaged, or the evaluation is of another epoch than the result.
    """
    result, config = read_record(folder)
    data, row, seed = folder.parts[-3:]
    evaluation = read_evaluation(folder, result["epoch"])
    return FinishedRun(
        folder=folder,
        # Not the folder's name alone, which options such as data.binarize do not change.
        data=str(result.get("data", data)),
        row=row,
        seed=int(seed.removeprefix("seed_")),
        result=result,
        config=config,
        history=read_metrics(folder),
        per_image=read_per_image(folder / PER_IMAGE_FILE),
        evaluation=evaluation,
        evaluated=read_evaluated(folder, evaluation),
        elsewhere={
            path.name: read_evaluation(path / data / row / seed, result["epoch"])
            for path in further_test_sets(folder)
        },
    )

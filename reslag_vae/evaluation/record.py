"""The evaluation of one finished run: evaluation.json and the pictures in its folder."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import numpy as np

from reslag_vae._runtime.files import remove_unfinished
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.measurements.perceptual import perceptual
from reslag_vae.evaluation.measurements.sharpness import upper_powers
from reslag_vae.evaluation.metrics.code_collapse import diagnose_codes
from reslag_vae.evaluation.metrics.collapse import Diagnosis, diagnose
from reslag_vae.evaluation.numbers import Numbers
from reslag_vae.evaluation.pictures import SIGMA2_KEYS, RatePoint, gallery
from reslag_vae.evaluation.pictures.figures import save_figure
from reslag_vae.evaluation.pictures.gallery import Pictures, RunMaterial
from reslag_vae.evaluation.pictures.material import model_material
from reslag_vae.evaluation.summary import summary
from reslag_vae.latents.verdicts import reservation
from reslag_vae.runs.folder import (
    EVALUATIONS,
    evaluation_figures,
    evaluation_file,
    evaluation_images_file,
)
from reslag_vae.runs.formats import write_arrays, write_json
from reslag_vae.runs.load import Run


class Outputs(NamedTuple):
    """The optional results of an evaluation, beside the numbers that are always measured.

    Attributes:
        figures: whether pictures are drawn.
        tsne: the number of codes, at most, that are drawn by their t-SNE; 0 leaves it out.
        attributes: names of the CelebA attributes that are added to faces and removed from them.
        perceptual: whether LPIPS, FID and KID are measured; `lpips` is LPIPS alone.
        weights: folder of the weights that those three need; None downloads them.
    """

    figures: bool = True
    tsne: int = 5000
    attributes: tuple[str, ...] = ()
    perceptual: bool | str = False
    weights: Path | None = None

    @property
    def inception(self) -> bool:
        """Whether FID and KID are measured."""
        return self.perceptual is True


class EvaluatedRun(NamedTuple):
    """A run with the results of its evaluation.

    Attributes:
        run: the run, as read from its folder.
        subject: its model and data, with the settings of the evaluation.
        numbers: measured numbers by group and name.
        diagnosis: state of each latent dimension; None where the posterior is a point.
        material: what the pictures show of the run; None where no pictures are drawn.
        pictures: files of the pictures.
    """

    run: Run
    subject: Subject
    numbers: dict[str, Numbers]
    diagnosis: Diagnosis | None
    material: RunMaterial | None
    pictures: list[Path]

    @property
    def file(self) -> Path:
        """The run's evaluation.json, named after split and checkpoint if not `test` and `best`."""
        return evaluation_file(self.run.folder, self.subject.settings.split, self.run.checkpoint)

    @property
    def images_file(self) -> Path:
        """The run's evaluation.npz, with the numbers of each reference image."""
        settings = self.subject.settings
        return evaluation_images_file(self.run.folder, settings.split, self.run.checkpoint)


def images_of(subject: Subject) -> dict[str, np.ndarray]:
    """Return the numbers of each reference image, in their order; bounds only with a density."""
    if subject.model.deterministic:
        return upper_powers(subject)
    bounds = subject.bounds
    arrays = {"importance_weighted_bound": bounds.importance_weighted, "elbo": bounds.elbo}
    return {name: values.numpy() for name, values in arrays.items()} | upper_powers(subject)


def evaluate_run(run: Run, subject: Subject, outputs: Outputs) -> EvaluatedRun:
    """Measure and draw a run, and write numbers and pictures into its folder.

    Args:
        run: the run, as read from its folder.
        subject: its model and data.
        outputs: what is measured and drawn beside the usual numbers.
    """
    start = monotonic()
    remove_unfinished(run.folder, EVALUATIONS)
    remove_unfinished(
        evaluation_figures(run.folder, subject.settings.split, run.checkpoint), ["*.png"]
    )
    numbers = measure(subject)
    if outputs.perceptual:
        numbers["perceptual"] = perceptual(subject, outputs.weights, outputs.inception)
    diagnosis = diagnosis_of(subject)
    if diagnosis is not None and run.updates is not None:
        said = diagnosis.verdict + reservation(run.updates)
        diagnosis = diagnosis._replace(verdict=said)
    result = EvaluatedRun(run, subject, numbers, diagnosis, None, [])
    content = summary(run, subject, numbers, result.diagnosis)
    write_arrays(result.images_file, images_of(subject))
    write_json(result.file, content | {"seconds": round(monotonic() - start, 1)})
    if not outputs.figures:
        return result
    if not subject.model.latent_dim:
        return result._replace(pictures=draw_samples(run, subject))
    material = run_material(run, subject, numbers, outputs.tsne)
    pictures = draw(run, subject, material, outputs.attributes)
    return result._replace(material=material, pictures=pictures)


def diagnosis_of(subject: Subject) -> Diagnosis | None:
    """Return whether and how the latent has collapsed; None where the posterior is a point."""
    if subject.model.deterministic or not subject.model.latent_dim:
        return None
    of_latents = diagnose_codes if subject.codes.usage else diagnose
    return of_latents(
        subject.told, subject.codes, subject.likelihood, subject.settings.seed, subject.progress
    )


def run_material(run: Run, subject: Subject, numbers: dict[str, Numbers], tsne: int) -> RunMaterial:
    """Return what the pictures of one run or of several show of a run.

    Args:
        run: the run, as read from its folder.
        subject: its model and data.
        numbers: its measured numbers by group and name.
        tsne: the number of codes, at most, that get a t-SNE; 0 leaves it out.
    """
    rec = numbers["thesis"]["rec"].value
    assert rec is not None, "every model reconstructs"
    return RunMaterial(
        material=model_material(subject, tsne),
        class_names=subject.data.class_names,
        latent_dim=run.model.latent_dim,
        sigma2=[row for row in run.history if row.keys() >= set(SIGMA2_KEYS)],
        rate=RatePoint(run.title, numbers["yardstick"]["kl"].value, rec, run.objective.beta),
        pca=numbers["reconstruction"]["pca_rec"].value,
        has_mean=run.model.likelihood.has_mean,
    )


def draw(
    run: Run, subject: Subject, material: RunMaterial, attributes: Sequence[str]
) -> list[Path]:
    """Draw the pictures of a run into its folder, beside those of its training.

    Args:
        run: the run, as read from its folder.
        subject: its model and data.
        material: what the pictures show that are drawn of several runs, too.
        attributes: names of the CelebA attributes that are added and removed.

    Returns:
        The files.
    """
    folder = evaluation_figures(run.folder, subject.settings.split, run.checkpoint)
    shared = gallery.comparison({run.title: material})
    with subject.progress("pictures", None):
        return save_all(chain(shared, gallery.single_model(subject, attributes)), folder)


def draw_samples(run: Run, subject: Subject) -> list[Path]:
    """Draw what there is to draw of a run's model without latents into its folder."""
    folder = evaluation_figures(run.folder, subject.settings.split, run.checkpoint)
    return save_all(gallery.without_latents(subject, run.title), folder)


def save_all(pictures: Pictures, folder: Path) -> list[Path]:
    """Write each picture to a PNG file of its name in a folder, and return the files."""
    paths = []
    for name, figure in pictures:
        paths.append(folder / f"{name}.png")
        save_figure(figure, paths[-1])
    return paths

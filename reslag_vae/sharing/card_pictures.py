"""The pictures of a model card, drawn as those of a run's training."""

from typing import NamedTuple

import torch
from torch import Tensor

from reslag_vae.evaluation.likeliest import likeliest_classes
from reslag_vae.evaluation.pictures.figures import image_grid, png
from reslag_vae.evaluation.pictures.trained import Rows, reconstruction_rows, sample_rows
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.models import GenerativeModel
from reslag_vae.runs.exported import RECONSTRUCTIONS_FILE, SAMPLES_FILE
from reslag_vae.runs.load import Run
from reslag_vae.runs.picture_format import read_examples

SAMPLES = 16


class Drawn(NamedTuple):
    """The pictures of a card, as PNG; None where there is none.

    Attributes:
        reconstructions: some validation images, above what the model makes of their codes.
        samples: samples of the prior.
    """

    reconstructions: bytes | None
    samples: bytes | None


def drawn_files(drawn: Drawn) -> dict[str, bytes]:
    """Return the content of the card's pictures by the names of their files."""
    named = {RECONSTRUCTIONS_FILE: drawn.reconstructions, SAMPLES_FILE: drawn.samples}
    return {name: content for name, content in named.items() if content is not None}


def draw(run: Run, examples: bool) -> Drawn:
    """Draw the pictures of a run's model.

    Args:
        run: the run.
        examples: whether validation images may be shown.

    Raises:
        RunError: the run's example pictures are damaged.
    """
    if run.model.image_shape[0] not in (1, 3):
        return Drawn(None, None)
    shape, binary = run.model.image_shape, run.model.likelihood.binary
    found = read_examples(run.folder, shape, binary) if examples else None
    reconstructed = None
    if found is not None and run.model.latent_dim:
        originals = unit_interval(found)
        rows = reconstruction_rows(told_of_examples(run, originals), originals)
        reconstructed = picture(run, "reconstructions", rows)
    model = without_attributes(run.model)
    return Drawn(reconstructed, picture(run, "prior samples", sample_rows(model, SAMPLES)))


def told_of_examples(run: Run, images: Tensor) -> GenerativeModel:
    """Return a run's conditional model, told of images, or any other as it is.

    What the examples are does not travel with them: their classes are the likeliest ones.

    Args:
        run: the run, whose model is in evaluation mode.
        images: (N, C, H, W) images in [0, 1].
    """
    model = run.model
    if model.condition is None or model.condition.kind == "attributes":
        return without_attributes(model)
    return model.told(model.condition.numbers(likeliest_classes(model, images, run.objective)))


def without_attributes(model: GenerativeModel) -> GenerativeModel:
    """Return a model of attributes that is told that there are none, or any other as it is."""
    if model.condition is None or model.condition.kind == "label":
        return model
    return model.told(torch.zeros(1, model.condition.count))


def picture(run: Run, name: str, rows: Rows) -> bytes:
    """Return rows of images of a run's model, under its title, as PNG."""
    return png(image_grid(rows, f"{name}: {run.title}, epoch {run.epoch}"))

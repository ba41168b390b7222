"""The model that pictures are given to, and how they become its images."""

from pathlib import Path
from typing import NamedTuple

import torch

from reslag_vae._runtime.errors import UserError
from reslag_vae.apply.calibration import Calibration
from reslag_vae.apply.request import Request
from reslag_vae.apply.scores import MINUS_LOG_P, SQUARED_ERROR, Scorer
from reslag_vae.data.pictures import Picture, decode
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective
from reslag_vae.runs.folder import CHECKPOINTS, checkpoint_file
from reslag_vae.runs.hub import download
from reslag_vae.runs.load import load_parts
from reslag_vae.runs.picture_format import PictureFormat, read_format, refuse_shape

# Validation images below which percentiles are rough
FEW = 100


class Subject(NamedTuple):
    """A model, and what is known of the pictures that it takes.

    Attributes:
        model: the model, on the device that it works on.
        objective: the objective that it was trained with; None if it is not known.
        folder: folder of its run or export.
        form: how pictures become its images.
        best: whether it is the model that its run or export is loaded as. Scores and samplers of a
            run are those of this one: another checkpoint's would take their place in exports.
    """

    model: GenerativeModel
    objective: Objective | None
    folder: Path
    form: PictureFormat
    best: bool = True

    def decode(self, path: Path) -> Picture:
        """Return a picture file as an image of the model's."""
        channels, size, _ = self.model.image_shape
        return decode(path, size, channels, self.form.region, self.form.scale)


def read_subject(request: Request) -> Subject:
    """Return the model of a request, on a GPU if there is one.

    Raises:
        RunError: the model is damaged, or not one of this package, or the hub does not have it.
        UserError: no picture can be fitted to its images, or it has no latents.
    """
    path = request.model if isinstance(request.model, Path) else download(request.model)
    # Of best.ckpt alone, named from within its folder, only the whole path tells the run.
    whole = path.absolute()
    folder = whole.parent.parent if path.is_file() and whole.parent.name == CHECKPOINTS else path
    parts = load_parts(path, trust=request.trust)
    model = parts.model
    refuse_shape(model.image_shape)
    asked = request.encode or request.reconstruct or request.neighbours
    if not model.latent_dim and (asked or request.sampler != "prior"):
        raise UserError(
            f"{request.model}: the model has no latents, so it has no codes: --score, and --sample "
            "of --sampler prior, are what there is."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    best = path == folder or whole == checkpoint_file(folder, "best")
    return Subject(model.to(device), parts.objective, folder, read_format(folder), best)


def notes_on_scores(calibration: Calibration, scorer: Scorer) -> list[str]:
    """Return sentences on scores that are missing or rough."""
    notes, count = [], len(calibration.scores.get(SQUARED_ERROR, ()))
    if 0 < count < FEW:
        notes.append(f"percentiles are rough: of the model's {count} validation images")
    if calibration.missing:
        notes.append(f"scores without percentiles: {calibration.missing}")
    elif MINUS_LOG_P not in calibration.scores and scorer.likelihood is not None:
        notes.append(f"no percentiles of {MINUS_LOG_P}: those of validation images are not finite")
    if scorer.model.condition is not None and scorer.likelihood is not None:
        note = f"{MINUS_LOG_P} is of p(x|y), given {scorer.model.condition.words}"
        if scorer.model.condition.kind == "label":
            note += (
                "; a picture of no known class is scored by the likeliest one, and so its "
                "percentiles among validation images, by their own classes, are rather low"
            )
        notes.append(note)
    if scorer.model.deterministic:
        notes.append(f"{SQUARED_ERROR} alone: the model's posteriors have no density")
    elif scorer.likelihood is None:
        notes.append(
            f"{SQUARED_ERROR} alone: the model's likelihood has no variance of its own, and there "
            "are no validation images to take it from"
        )
    return notes

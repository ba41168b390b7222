"""The models and pictures of a request, and what is made of them."""

from collections.abc import Sequence
from pathlib import Path

from reslag_vae._runtime.errors import UserError, printable
from reslag_vae.apply.inputs import Inputs
from reslag_vae.apply.own_samplers import read_samplers
from reslag_vae.apply.request import Request as Applied
from reslag_vae.apply.subject import Subject, read_subject
from reslag_vae.evaluation.progress import Progress, silent
from reslag_vae.explore.explorer import Explorer
from reslag_vae.explore.pictures import Pictures, examples_of, pictures_of_files, pictures_of_run
from reslag_vae.explore.request import Request
from reslag_vae.runs.folder import CONFIG_FILE
from reslag_vae.runs.hub import HubAddress


def read_explorers(
    request: Request, inputs: Inputs | None, progress: Progress = silent
) -> list[tuple[Subject, Explorer]]:
    """Return each model of a request with its explorer, all of the same pictures.

    Args:
        request: the request, whose options were checked.
        inputs: the pictures; None takes those of the first model.
        progress: shows how far the encoding is.

    Raises:
        UserError: a model has no latents, is of another size than the first, or the pictures
            cannot be read.
    """
    subjects = [subject_of(model, request.trust) for model in request.models]
    refuse_other_sizes(request.models, subjects)
    pictures = pictures_of(subjects[0], request, inputs)
    return [
        (subject, explorer_of(subject, title, pictures, progress))
        for subject, title in zip(subjects, request.titles, strict=True)
    ]


def explorer_of(subject: Subject, title: str, pictures: Pictures, progress: Progress) -> Explorer:
    """Return the explorer of a model, with the samplers that it brings along.

    Raises:
        RunError: these are damaged.
    """
    samplers = read_samplers(subject.folder, subject.model)
    return Explorer(title, subject.model, pictures, progress, samplers, subject.objective)


def subject_of(model: Path | HubAddress, trust: Sequence[str]) -> Subject:
    """Return a model.

    Raises:
        UserError: it has no latents.
    """
    subject = read_subject(Applied(model=model, trust=trust))
    if not subject.model.latent_dim:
        raise UserError(
            f"{printable(str(model))}: the model has no latents, so it has no codes to explore; "
            "`reslag apply` draws its samples and scores pictures."
        )
    return subject


def refuse_other_sizes(models: Sequence[Path | HubAddress], subjects: Sequence[Subject]) -> None:
    """Refuse models that take images of different shapes.

    Raises:
        UserError: the message names the first two that differ.
    """
    first = subjects[0].model.image_shape
    for model, subject in zip(models, subjects, strict=True):
        own = subject.model.image_shape
        if own != first:
            sizes = [" x ".join(map(str, shape)) for shape in (own, first)]
            raise UserError(
                f"{printable(str(model))} takes images of {sizes[0]}, and "
                f"{printable(str(models[0]))} of {sizes[1]}: models side by side need the same."
            )


def pictures_of(subject: Subject, request: Request, inputs: Inputs | None) -> Pictures:
    """Return the pictures of a request.

    Raises:
        UserError: they cannot be read, or there are none.
    """
    if inputs is not None:
        return pictures_of_files(subject, inputs, request.most)
    if (subject.folder / CONFIG_FILE).is_file():
        return pictures_of_run(subject, request.split, request.most, request.root, request.trust)
    if request.split:
        raise UserError(
            f"--split: {printable(str(request.models[0]))} is no run, and has no pictures but its "
            "examples; --pictures names others."
        )
    return examples_of(subject)

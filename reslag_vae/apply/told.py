"""What a conditional model is told of pictures: their class, or their attributes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from reslag_vae._runtime.errors import UserError, printable
from reslag_vae.evaluation.likeliest import likeliest_classes
from reslag_vae.models import Condition, GenerativeModel
from reslag_vae.objectives import Objective


def given_to_all(model: GenerativeModel, given: Sequence[str]) -> Tensor | None:
    """Return the (1, K) numbers of what all pictures are said to be; None if nothing is said.

    Args:
        model: any model.
        given: names of a class, or of attributes.

    Raises:
        UserError: the model is not conditional, or has no such class or attribute, or an image is
            of one class alone.
    """
    if not given:
        return None
    shown = printable(" ".join(f"--given {name}" for name in given))
    if model.condition is None:
        raise UserError(f"{shown}: the model is not conditional, and is told nothing of pictures.")
    if model.condition.kind == "label" and len(given) > 1:
        raise UserError(f"{shown}: a picture is of one class.")
    try:
        return model.condition.read(list(given))
    except ValueError as error:
        raise UserError(f"{shown}: {error}") from None


def classes_of(model: GenerativeModel, names: Sequence[str]) -> list[int]:
    """Return the number of the class whose folder each picture lies in; -1 if there is none.

    Args:
        model: a model that is told classes.
        names: names of the pictures within their folders, with forward slashes.
    """
    known = {} if model.condition is None else {n: k for k, n in enumerate(model.condition.names)}
    numbers = []
    for name in names:
        folders = reversed(name.split("/")[:-1])
        numbers.append(next((known[own] for own in folders if own in known), -1))
    return numbers


def told_of_pictures(
    model: GenerativeModel,
    images: Tensor,
    names: Sequence[str],
    given: Sequence[str] = (),
    objective: Objective | None = None,
) -> GenerativeModel:
    """Return a conditional model that is told of pictures, or any other as it is.

    The class of a picture is the one that all are given, else that of its folder, else the
    likeliest under the model.

    Args:
        model: any model, in evaluation mode.
        images: (B, C, H, W) images in [0, 1], on the model's device.
        names: names of their files within their folders: see `Inputs.places`.
        given: names of a class, or of attributes, that all of them have.
        objective: the objective that it was trained with; None if it is not known.

    Raises:
        UserError: the attributes of the pictures are not given, or there is none of that name.
    """
    if model.condition is None:
        return model
    same = given_to_all(model, given)
    if same is not None:
        return model.told(same.to(model.parameter))
    if model.condition.kind == "attributes":
        raise nothing_given(model.condition)
    numbers = torch.tensor(classes_of(model, names)).to(images.device)
    unknown = numbers < 0
    if unknown.any():
        numbers[unknown] = likeliest_classes(model, images[unknown], objective)
    return model.told(model.condition.numbers(numbers).to(model.parameter))


def told_of_samples(model: GenerativeModel, given: Sequence[str], count: int) -> GenerativeModel:
    """Return a conditional model that is told what samples are to be, or any other as it is.

    They are of the class that is given, or else of one class after the other.

    Args:
        model: any model.
        given: names of a class, or of attributes.
        count: number of samples.

    Raises:
        UserError: the attributes of the samples are not given, or there is none of that name.
    """
    same = given_to_all(model, given)
    own = model.for_samples(count) if same is None else model.told(same.to(model.parameter))
    if own.condition is not None and own.conditions is None:
        raise nothing_given(own.condition)
    return own


def nothing_given(condition: Condition) -> UserError:
    """Return the error that attributes are wanted."""
    shown = ", ".join(condition.names)
    return UserError(f"The model is told attributes: name one or several by --given, of {shown}.")

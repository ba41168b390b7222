"""What a conditional model is told of the pictures that it is explored with."""

import torch
from torch import Tensor

from reslag_vae.apply.told import classes_of
from reslag_vae.evaluation.iteration import chunks, device_of, evaluating
from reslag_vae.evaluation.likeliest import likeliest_classes
from reslag_vae.explore.pictures import Pictures
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective


def conditions_of(
    model: GenerativeModel, pictures: Pictures, objective: Objective | None
) -> Tensor | None:
    """Return the (N, K) numbers that a conditional model is told of pictures; None for others.

    A picture file is of the class that one of its folders is named by. A picture without a known
    class is of the likeliest one; an attribute that is not known of pictures none of them has.

    Args:
        model: any model.
        pictures: pictures of its shape.
        objective: the objective that it was trained with; None if it is not known.
    """
    condition = model.condition
    if condition is None:
        return None
    if condition.kind == "attributes":
        told = torch.zeros(pictures.size, condition.count)
        # Pictures of another model's data may have other attributes.
        for column, name in enumerate(condition.names):
            if pictures.members is not None and name in pictures.attributes:
                told[:, column] = pictures.members[:, pictures.attributes.index(name)]
        return told
    if pictures.places:
        found = classes_of(model, pictures.places)
    else:
        known = {name: number for number, name in enumerate(condition.names)}
        found = [known.get(pictures.label(row), -1) for row in range(pictures.size)]
    numbers = torch.tensor(found)
    unknown = numbers < 0
    if unknown.any():
        numbers[unknown] = likeliest(model, pictures.images[unknown], objective)
    return condition.numbers(numbers)


def conditions_of_one(
    model: GenerativeModel, image: Tensor, others: Tensor | None, objective: Objective | None
) -> Tensor | None:
    """Return the (1, K) numbers that a conditional model is told of a picture; None for others.

    Its class is the likeliest one; its attributes are those of most others.

    Args:
        model: any model.
        image: (C, H, W) uint8.
        others: (N, K) numbers of other pictures; None if the model is not conditional.
        objective: the objective that it was trained with; None if it is not known.
    """
    if model.condition is None or others is None:
        return None
    if model.condition.kind == "attributes":
        return (others.mean(0, keepdim=True) > 0.5).float()
    return model.condition.numbers(likeliest(model, image[None], objective))


def likeliest(model: GenerativeModel, images: Tensor, objective: Objective | None) -> Tensor:
    """Return the (B,) numbers of the likeliest classes of (B, C, H, W) uint8 images, on the CPU."""
    with evaluating(model):
        parts = [
            likeliest_classes(model, own, objective).cpu()
            for own in chunks(images, device_of(model))
        ]
    return torch.cat(parts)

"""What a conditional model draws of classes and attributes that it is told."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reslag_vae.evaluation.codes import decode_alike, encode
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.iteration import told_of_split
from reslag_vae.evaluation.pictures.blocks import Block, draw_blocks
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.models import Condition

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Classes or attributes that are drawn at most, samples of each, and images that are told others.
CHOICES, SAMPLES, EXCHANGED = 10, 8, 6

SAMPLED = (
    "Samples of the prior: one latent in each column, told another class or attribute in each line."
)
EXCHANGES = (
    "Each line has one image's latent, decoded as it is told what the image has, and then told "
    "another class, or one attribute more or less."
)


def chosen(condition: Condition) -> list[int]:
    """Return the numbers of classes or attributes that are drawn, evenly spread over all."""
    count = min(CHOICES, condition.count)
    return [i * condition.count // count for i in range(count)]


def samples_by_condition(subject: Subject) -> "Figure":
    """Draw samples of each class, or with each attribute alone; the latents are the same ones."""
    condition, model = subject.model.condition, subject.model
    assert condition is not None, "a conditional model"
    latents, lines, labels = subject.prior_latents[:SAMPLES], [], []
    one = torch.eye(condition.count).to(model.parameter)
    if condition.kind == "attributes":
        lines.append(decode_alike(model.told(torch.zeros_like(one[:1])), latents))
        labels.append("none")
    for k in chosen(condition):
        lines.append(decode_alike(model.told(one[k : k + 1]), latents))
        labels.append(words(condition.names[k]))
    return draw_blocks([Block(torch.stack(lines), rows=labels)], caption=SAMPLED)


def exchanges(subject: Subject) -> "Figure":
    """Draw images whose latents are decoded with other classes, or with an attribute changed."""
    condition, model = subject.model.condition, subject.model
    assert condition is not None, "a conditional model"
    originals = subject.images.evenly_spaced(EXCHANGED)
    own = told_of_split(model, originals)
    assert own.conditions is not None, "told of the images"
    latents, numbers = encode(own, originals).means, own.conditions
    columns = [unit_interval(originals.images).cpu(), decode_alike(own, latents)]
    above = ["original", "as told"]
    for k in chosen(condition):
        columns.append(decode_alike(model.told(changed(condition, numbers, k)), latents))
        sign = "" if condition.kind == "label" else "± "
        above.append(f"{sign}{words(condition.names[k])}")
    return draw_blocks([Block(torch.stack(columns, dim=1), above=above)], caption=EXCHANGES)


def changed(condition: Condition, numbers: Tensor, k: int) -> Tensor:
    """Return (B, K) numbers of images that are of class k, or whose attribute k is the other one.

    Args:
        condition: what the model is told.
        numbers: (B, K) what it is told of the images.
        k: number of the class or the attribute.
    """
    other = torch.zeros_like(numbers) if condition.kind == "label" else numbers.clone()
    other[:, k] = 1 - other[:, k]
    return other


def words(name: str) -> str:
    """Return the name of a class or an attribute without underscores."""
    return name.replace("_", " ")

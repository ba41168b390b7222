"""Pictures of decoded paths through the latent: interpolations, traversals and translations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from reslag_vae.evaluation.pictures.blocks import (
    Block,
    check_same_shape,
    draw_blocks,
    labelled_lines,
)
from reslag_vae.likelihoods.pixels import unit_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID_COLUMNS = 3

PATH = "decoded: codes on the straight line between the codes of the two originals."
SQUARE = "Framed: reconstructions of four originals; between them, mixtures of their codes."
DIMENSIONS = (
    "One dimension z of the code at a time, others kept: its value in standard deviations σ from "
    "the mean of all codes."
)
DIRECTIONS = (
    "+1: the code moved by the whole difference of the mean codes of the two groups; 0.5 is half "
    "of it, 2 twice."
)


class Translation(NamedTuple):
    """An image and what it becomes along one direction of the latent.

    Attributes:
        label: what is done, such as "add Eyeglasses".
        original: (C, H, W) uint8, or floating point in [0, 1].
        decoded: (S, C, H, W) in [0, 1], one image for each strength.
    """

    label: str
    original: Tensor
    decoded: Tensor


def interpolation_strip(ends: Tensor, models: dict[str, Tensor]) -> "Figure":
    """Draw the path between two images, one line for each model.

    The ends of the path are the images' reconstructions.

    Args:
        ends: (2, C, H, W) uint8, or floating point in [0, 1]: the two images, drawn to the left and
            to the right.
        models: (S, C, H, W) in [0, 1] by title; S is at least 2.

    Raises:
        ValueError: images have different shapes.
    """
    start, end = torch.split(unit_interval(ends).cpu(), 1)
    block = labelled_lines(
        (title, torch.cat([start, images.cpu(), end])) for title, images in models.items()
    )
    between = [""] * (block.images.shape[1] - 4)
    above = ["original", "decoded", *between, "decoded", "original"]
    return draw_blocks([block._replace(above=above)], caption=PATH)


def interpolation_grid(models: dict[str, Tensor]) -> "Figure":
    """Draw the square between four images for each model.

    The framed corners are the images' reconstructions.

    Args:
        models: (S, S, C, H, W) in [0, 1] by title; the first index runs downwards.

    Raises:
        ValueError: images have different shapes.
    """
    check_same_shape(models.items())
    last = len(next(iter(models.values()))) - 1
    corners = [(0, 0), (0, last), (last, 0), (last, last)]
    blocks = [Block(images, title=title, framed=corners) for title, images in models.items()]
    return draw_blocks(blocks, GRID_COLUMNS, SQUARE)


def traversals(original: Tensor, values: Tensor, dimensions: dict[str, Tensor]) -> "Figure":
    """Draw what single latent dimensions do: a line for each, a column for each value.

    Args:
        original: (C, H, W) uint8, or floating point in [0, 1]: the image whose code is changed,
            drawn to the left.
        values: (S,) in standard deviations of the codes.
        dimensions: (1 + S, C, H, W) in [0, 1] by label, such as "z7, KL 4.1": the image decoded,
            then each value.

    Raises:
        ValueError: images have different shapes, or there is not one for each value.
    """
    first = unit_interval(original[None]).cpu()
    block = labelled_lines(
        (label, torch.cat([first, images.cpu()])) for label, images in dimensions.items()
    )
    above = ["original", "decoded", *map(deviations, values.tolist())]
    return draw_blocks([block._replace(above=above)], caption=DIMENSIONS)


def deviations(value: float) -> str:
    """Return standard deviations as text with their sign, three digits and a real minus."""
    return f"{value:+.3g}σ".replace("-", "−") if value else "0"


def translations(strengths: Sequence[float], rows: Sequence[Translation]) -> "Figure":
    """Draw images with an attribute added or a class exchanged.

    Each line has the original and then each strength; strength 0 is the plain reconstruction.

    Args:
        strengths: strengths of the S columns.
        rows: translations, one for each line.

    Raises:
        ValueError: images have different shapes, or there is not one for each strength.
    """
    lines = [
        (row.label, torch.cat([unit_interval(row.original[None]).to(row.decoded), row.decoded]))
        for row in rows
    ]
    columns = [f"{strength:+g}" if strength else "decoded" for strength in strengths]
    block = labelled_lines(lines)._replace(above=["original", *columns])
    return draw_blocks([block], caption=DIRECTIONS)

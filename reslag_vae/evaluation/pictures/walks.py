"""What decoders make of paths through the latent: interpolations, traversals and translations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from reslag_vae.evaluation.pictures.blocks import Block, alike, draw_blocks, lines_of
from reslag_vae.records import unit_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID_COLUMNS = 3


class Translation(NamedTuple):
    """An image and what it becomes along one direction of the latent.

    Attributes:
        label: what is done, such as "add Eyeglasses".
        original: (C, H, W) uint8, or floating point in [0, 1].
        decoded: (S, C, H, W) in [0, 1], of each strength.
    """

    label: str
    original: Tensor
    decoded: Tensor


def interpolation_strip(models: dict[str, Tensor]) -> "Figure":
    """The way between two images, whose reconstructions are the ends; one line for each model.

    Args:
        models: (S, C, H, W) in [0, 1] by title, S at least 2.

    Raises:
        ValueError: images of different shapes.
    """
    block = lines_of(models.items())
    between = block.images.shape[1] - 2
    return draw_blocks([block._replace(above=["start", *[""] * between, "end"])])


def interpolation_grid(models: dict[str, Tensor]) -> "Figure":
    """The square between four images, whose reconstructions are the framed corners; one square for each model.

    Args:
        models: (S, S, C, H, W) in [0, 1] by title, the first index downwards.

    Raises:
        ValueError: images of different shapes.
    """
    alike(models.items())
    last = len(next(iter(models.values()))) - 1
    corners = [(0, 0), (0, last), (last, 0), (last, last)]
    blocks = [Block(images, title=title, framed=corners) for title, images in models.items()]
    return draw_blocks(blocks, GRID_COLUMNS)


def traversals(values: Tensor, dimensions: dict[str, Tensor]) -> "Figure":
    """What single latent dimensions do: one line for each, one column for each value.

    Args:
        values: (S,) in standard deviations of the codes.
        dimensions: (S, C, H, W) in [0, 1] by label, such as "z7  KL 4.1".

    Raises:
        ValueError: images of different shapes, or not one for each value.
    """
    return draw_blocks([lines_of(dimensions.items())._replace(above=[deviations(float(value)) for value in values])])


def deviations(value: float) -> str:
    """Standard deviations with their sign, three digits and a real minus."""
    return f"{value:+.3g}σ".replace("-", "−") if value else "0"


def translations(strengths: Sequence[float], rows: Sequence[Translation]) -> "Figure":
    """Images with an attribute added or a class exchanged: the original, then each strength; 0 is the reconstruction.

    Args:
        strengths: of the S columns.
        rows: one line for each.

    Raises:
        ValueError: images of different shapes, or not one for each strength.
    """
    lines = [(row.label, torch.cat([unit_interval(row.original[None]).to(row.decoded), row.decoded])) for row in rows]
    return draw_blocks([lines_of(lines)._replace(above=["original", *[f"{strength:g}" for strength in strengths]])])

"""What decoders make of paths through the latent: interpolations, traversals and translations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from reslag_vae.evaluation.pictures.blocks import Block, alike, draw_blocks, lines_of
from reslag_vae.likelihoods.pixels import unit_interval

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


def interpolation_strip(ends: Tensor, models: dict[str, Tensor]) -> "Figure":
    """The way between two images, whose reconstructions are the ends; one line for each model.

    Args:
        ends: (2, C, H, W) uint8, or floating point in [0, 1]: the two images, drawn to the left and
            to the right.
        models: (S, C, H, W) in [0, 1] by title, S at least 2.

    Raises:
        ValueError: images of different shapes.
    """
    start, end = torch.split(unit_interval(ends).cpu(), 1)
    block = lines_of(
        (title, torch.cat([start, images.cpu(), end])) for title, images in models.items()
    )
    between = block.images.shape[1] - 4
    return draw_blocks(
        [block._replace(above=["original", "decoded", *[""] * between, "decoded", "original"])]
    )


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


def traversals(original: Tensor, values: Tensor, dimensions: dict[str, Tensor]) -> "Figure":
    """What single latent dimensions do: one line for each, one column for each value.

    Args:
        original: (C, H, W) uint8, or floating point in [0, 1]: the image whose code is changed,
            drawn to the left.
        values: (S,) in standard deviations of the codes.
        dimensions: (1 + S, C, H, W) in [0, 1] by label, such as "z7, KL 4.1": the image decoded,
            then each value.

    Raises:
        ValueError: images of different shapes, or not one for each value.
    """
    first = unit_interval(original[None]).cpu()
    block = lines_of(
        (label, torch.cat([first, images.cpu()])) for label, images in dimensions.items()
    )
    return draw_blocks(
        [block._replace(above=["original", "decoded", *(deviations(float(v)) for v in values)])]
    )


def deviations(value: float) -> str:
    """Standard deviations with their sign, three digits and a real minus."""
    return f"{value:+.3g}σ".replace("-", "−") if value else "0"


def translations(strengths: Sequence[float], rows: Sequence[Translation]) -> "Figure":
    """Images with an attribute added or a class exchanged: the original, then each strength; 0 is decoded as it is.

    Args:
        strengths: of the S columns.
        rows: one line for each.

    Raises:
        ValueError: images of different shapes, or not one for each strength.
    """
    lines = [
        (row.label, torch.cat([unit_interval(row.original[None]).to(row.decoded), row.decoded]))
        for row in rows
    ]
    return draw_blocks(
        [
            lines_of(lines)._replace(
                above=["original", *[f"{s:+g}" if s else "decoded" for s in strengths]]
            )
        ]
    )

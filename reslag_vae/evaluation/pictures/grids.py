"""Grids of reconstructions and samples, of one model or of several by title."""

from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reslag_vae.evaluation.pictures.blocks import (
    Block,
    check_same_shape,
    draw_blocks,
    labelled_lines,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXTREMES = ("best", "median", "worst")
COLUMNS = 8  # images in a line of reconstructions

REC = "Rec: sum of squared errors of an image."
SOURCES = (
    "prior: codes drawn from the model's prior; mixture: from Gaussians fitted to codes of "
    "training images."
)


def reconstructions(originals: Tensor, models: dict[str, Tensor]) -> "Figure":
    """Draw lines of originals above each model's, as in Figures 6 to 8 of the thesis.

    A line has 8 images.

    Args:
        originals: (N, C, H, W) uint8, or floating point in [0, 1]; up to 16 are easy to see.
        models: (N, C, H, W) reconstructions in [0, 1] by title.

    Raises:
        ValueError: a model's images have another shape than the originals.
    """
    lines = [("original", originals), *models.items()]
    check_same_shape(lines)
    blocks = []
    for start in range(0, len(originals), COLUMNS):
        part = slice(start, start + COLUMNS)
        block = labelled_lines([(label, own[part]) for label, own in lines])
        blocks.append(padded(block, min(COLUMNS, len(originals))))
    return draw_blocks(blocks)


def padded(block: Block, columns: int) -> Block:
    """Return a block with white images in the places of a line that has too few."""
    images = block.images
    white = images.new_ones(len(images), columns - images.shape[1], *images.shape[2:])
    return block._replace(images=torch.cat([images, white], dim=1))


def samples(models: dict[str, dict[str, Tensor]]) -> "Figure":
    """Draw samples by the source of their latents, as in Figures 9 to 12 of the thesis.

    The sources stand side by side. One model has lines of 4 images for each source, so that 16 are
    a square; several models have lines of 8. The last line may have fewer.

    Args:
        models: (N, C, H, W) images in [0, 1] by title, then by source, such as "prior".

    Raises:
        ValueError: images have different shapes.
        KeyError: a model lacks a source that the first one has.
    """
    columns = 4 if len(models) == 1 else 8
    titles, sources = list(models), list(next(iter(models.values())))
    pairs = list(product(titles, sources))
    check_same_shape((f"{title}, {source}", models[title][source]) for title, source in pairs)
    blocks = []
    for title, source in pairs:
        images = models[title][source]
        white = images.new_ones(-len(images) % columns, *images.shape[1:])
        lines = torch.cat([images, white]).reshape(-1, columns, *images.shape[1:])
        rows = [title] if source == sources[0] else []
        blocks.append(Block(lines, source if title == titles[0] else "", rows))
    return draw_blocks(blocks, len(sources), SOURCES if len(sources) > 1 else "")


def extreme_images(errors: Tensor, count: int = 6) -> Tensor:
    """Return (3, count) positions of the images with the smallest, middle and largest errors.

    The errors are (N,); each row of positions is in the order of rising error.

    Raises:
        ValueError: there are fewer than `count` images.
    """
    if len(errors) < count:
        raise ValueError(f"count={count}: there are only {len(errors)} images.")
    order = errors.argsort(stable=True)
    last = len(errors) - count
    return torch.stack([order[start : start + count] for start in (0, last // 2, last)])


def extremes(errors: Tensor, originals: Tensor, reconstructed: Tensor) -> "Figure":
    """Draw the best, median and worst reconstructions below their originals.

    The reconstruction error (Rec) is below each column.

    Args:
        errors: (3, K) sums of squared errors of the images that `extreme_images` chooses.
        originals: (3, K, C, H, W) uint8, or floating point in [0, 1].
        reconstructed: (3, K, C, H, W) reconstructions in [0, 1].

    Raises:
        ValueError: images have different shapes.
    """
    named = zip(EXTREMES, errors, originals, reconstructed, strict=True)
    blocks = []
    for name, error, original, reconstruction in named:
        block = labelled_lines([("original", original), ("reconstruction", reconstruction)])
        below = [f"Rec {value:.2f}" for value in error]
        blocks.append(block._replace(title=name, below=below))
    return draw_blocks(blocks, caption=REC)

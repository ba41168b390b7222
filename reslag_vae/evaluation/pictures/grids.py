"""Reconstructions and samples, of one model or of several by their titles."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reslag_vae.evaluation.pictures.blocks import Block, alike, draw_blocks, lines_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXTREMES = ("best", "median", "worst")


def reconstructions(originals: Tensor, models: dict[str, Tensor]) -> "Figure":
    """One line of originals and beneath it those of each model, as Figures 6 to 8 of the thesis.

    Args:
        originals: (N, C, H, W) uint8, or floating point in [0, 1]; up to 16 are easy to see.
        models: (N, C, H, W) in [0, 1] by title.

    Raises:
        ValueError: images of another shape than the originals'.
    """
    return draw_blocks([lines_of([("original", originals), *models.items()])])


def samples(models: dict[str, dict[str, Tensor]]) -> "Figure":
    """Images decoded from latents of several sources beside each other, as Figures 9 to 12 of the thesis.

    One model has lines of 4 for each source, so that 16 are a square; several have lines of 8.

    Args:
        models: (N, C, H, W) in [0, 1] by title, then by source, such as "prior"; N a multiple of 8.

    Raises:
        ValueError: images of different shapes.
        KeyError: a model lacks a source that the first one has.
    """
    columns = 4 if len(models) == 1 else 8
    titles, sources = list(models), list(next(iter(models.values())))
    alike(
        (f"{title}, {source}", images[source])
        for title, images in models.items()
        for source in sources
    )
    blocks = [
        Block(
            images[source].reshape(-1, columns, *images[source].shape[1:]),
            rows=[title] if source == sources[0] else [],
            title=source if title == titles[0] else "",
        )
        for title, images in models.items()
        for source in sources
    ]
    return draw_blocks(blocks, columns=len(sources))


def extreme_images(errors: Tensor, count: int = 6) -> Tensor:
    """(3, count) numbers of the images with the smallest, middle and largest of (N,) errors, each rising.

    Raises:
        ValueError: fewer than `count` images.
    """
    if len(errors) < count:
        raise ValueError(f"count={count}: there are only {len(errors)} images.")
    order = errors.argsort(stable=True)
    return torch.stack(
        [
            order[start : start + count]
            for start in (0, (len(errors) - count) // 2, len(errors) - count)
        ]
    )


def extremes(errors: Tensor, originals: Tensor, reconstructed: Tensor) -> "Figure":
    """Best, median and worst reconstructions beneath their originals, the error (Rec) beneath each.

    Args:
        errors: (3, K) sums of squared errors, of the images that `extreme_images` chooses.
        originals: (3, K, C, H, W) uint8, or floating point in [0, 1].
        reconstructed: (3, K, C, H, W) in [0, 1].

    Raises:
        ValueError: images of different shapes.
    """
    named = zip(EXTREMES, errors, originals, reconstructed, strict=True)
    blocks = [
        lines_of([("original", original), ("reconstruction", reconstruction)])._replace(
            title=name, below=[f"Rec {value:.2f}" for value in error]
        )
        for name, error, original, reconstruction in named
    ]
    return draw_blocks(blocks)

"""Blocks of labelled images, each pixel of an image a whole number of pixels of the picture."""

import math
from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from reslag_vae.evaluation.pictures.figures import DPI, default_settings, drawable, show, tiled
from reslag_vae.likelihoods.pixels import unit_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Images are enlarged until they are this wide or this high together, in pixels of the picture.
WIDTH, HEIGHT = 800, 700
POINTS = 9.0  # size of the words, where the images are not wider than WIDTH
LONGEST = 20  # letters of a word to the left, before its line is broken
FRAME = "#e76300"


class Block(NamedTuple):
    """Lines of images that touch, and words around them.

    Attributes:
        images: (L, K, C, H, W) in [0, 1], L lines of K.
        title: above the block.
        rows: words to the left, evenly spread over the lines.
        above: words above the columns, where there is no title.
        below: words below the columns, where there are none above.
        framed: (line, column) of each image that has a frame.
    """

    images: Tensor
    title: str = ""
    rows: Sequence[str] = ()
    above: Sequence[str] = ()
    below: Sequence[str] = ()
    framed: Sequence[tuple[int, int]] = ()


def lines_of(rows: Iterable[tuple[str, Tensor]]) -> Block:
    """One line for each label with its (K, C, H, W) images, uint8 or floating point in [0, 1].

    Raises:
        ValueError: images of different shapes.
    """
    labels, lines = zip(*rows, strict=True)
    alike(zip(labels, lines, strict=True))
    return Block(torch.stack([unit_interval(images).cpu() for images in lines]), rows=labels)


def alike(labelled: Iterable[tuple[str, Tensor]]) -> None:
    """See that all images have the same shape.

    Raises:
        ValueError: they have not; it names the first label whose shape differs.
    """
    shapes = [(label, tuple(images.shape)) for label, images in labelled]
    first = shapes[0][1]
    for label, shape in shapes:
        if shape != first:
            raise ValueError(f"{label}: images of shape {shape} beside others of {first}.")


@default_settings()
def draw_blocks(blocks: Sequence[Block], columns: int = 1) -> "Figure":
    """Blocks of equal shape, up to `columns` of them beside each other: one axes for each, in their order.

    Only the first block of a line has room for words to its left.

    Raises:
        ValueError: other than one word above or below each column.
    """
    from matplotlib.figure import Figure

    mosaics = [tiled(list(block.images), block.images.shape[1])[0] for block in blocks]
    columns = min(columns, len(blocks))
    height, width = enlarged(mosaics[0].shape[:2], columns, math.ceil(len(blocks) / columns))
    points = POINTS * max(1.0, columns * width / WIDTH)
    em = round(points / 72 * DPI)
    left = em + max(
        (words_width(words, points) for block in blocks for words in block.rows), default=0
    )
    tops, total = line_tops(blocks, columns, height, em)
    figure = Figure(figsize=((left + columns * (width + em)) / DPI, total / DPI), facecolor="white")
    for i, (block, mosaic) in enumerate(zip(blocks, mosaics, strict=True)):
        axis = axes_at(
            figure, (left + i % columns * (width + em), tops[i // columns]), (width, height)
        )
        show(axis, mosaic)
        label(axis, block, mosaic.shape[:2], points)
    return figure


def enlarged(size: tuple[int, ...], columns: int, lines: int) -> tuple[int, int]:
    """Height and width of each block in the picture: a whole multiple of its own, the same for all."""
    height, width = size
    zoom = min(math.ceil(WIDTH / (columns * width)), math.ceil(HEIGHT / (lines * height)))
    return zoom * height, zoom * width


def broken(words: str) -> str:
    """Words in lines that are not too long."""
    return fill(drawable(words), LONGEST, break_long_words=False, break_on_hyphens=False)


def words_width(words: str, points: float) -> int:
    """Pixels that words in that size take to the left of a block."""
    from matplotlib.textpath import TextPath

    widths = [
        TextPath((0, 0), line, size=points).get_extents().width
        for line in broken(words).splitlines()
    ]
    return math.ceil(max(widths) / 72 * DPI)


def line_tops(blocks: Sequence[Block], columns: int, height: int, em: int) -> tuple[list[int], int]:
    """Pixels above each line of blocks of `height` pixels, with the words around them, and of the whole picture."""
    tops, bottom = [], 0
    for i in range(0, len(blocks), columns):
        line = blocks[i : i + columns]
        tops.append(
            bottom + (2 * em if any(block.title or block.above for block in line) else em // 2)
        )
        bottom = tops[-1] + height + (2 * em if any(block.below for block in line) else em // 2)
    return tops, bottom


def axes_at(figure: "Figure", corner: tuple[int, int], size: tuple[int, int]) -> "Axes":
    """Axes by their upper left corner and their size, both (x, y) in pixels from the picture's upper left corner."""
    width, height = figure.get_size_inches() * DPI
    return figure.add_axes(
        (corner[0] / width, 1 - (corner[1] + size[1]) / height, size[0] / width, size[1] / height)
    )


def label(axis: "Axes", block: Block, size: tuple[int, ...], points: float) -> None:
    """Write a block's words around its mosaic of (height, width) `size`, and draw its frames.

    Raises:
        ValueError: other than one word for each column.
    """
    from matplotlib.patches import Rectangle

    lines, columns, _, height, width = block.images.shape
    names = block.above or block.below
    if names and len(names) != columns:
        raise ValueError(f"{len(names)} words for {columns} columns of images: {', '.join(names)}.")
    axis.set_title(drawable(block.title) if block.title else "", fontsize=points)
    axis.set_yticks(
        middles(len(block.rows), size[0]), [broken(words) for words in block.rows], fontsize=points
    )
    axis.set_xticks(middles(len(names), size[1]), names, fontsize=points)
    axis.tick_params(labeltop=bool(block.above), labelbottom=not block.above)
    for line, column in block.framed:
        centre = middles(columns, size[1])[column], middles(lines, size[0])[line]
        corner = centre[0] - width / 2, centre[1] - height / 2
        axis.add_patch(
            Rectangle(
                corner, width, height, fill=False, edgecolor=FRAME, linewidth=2, clip_on=False
            )
        )


def middles(count: int, length: int) -> list[float]:
    """Of `count` equal parts of so many pixels, in the coordinates of a picture, whose first pixel's middle is 0."""
    return [(i + 0.5) * length / count - 0.5 for i in range(count)]

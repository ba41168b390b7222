"""Blocks of labelled images, in which each image pixel is a whole number of picture pixels."""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
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
# Font size of the labels, if the images are not wider than WIDTH and there is room: legible where
# the picture is 400 pixels wide on a screen
POINTS = 12.0
LONGEST = 20  # characters in a line of a label to the left
LEADING = 1.25  # height of a line of text, in font sizes
BREADTH = 0.55  # mean breadth of a letter, in font sizes
FRAME = "#f57750"


class Block(NamedTuple):
    """Lines of adjacent images with labels around them.

    Attributes:
        images: (L, K, C, H, W) in [0, 1], L lines of K images.
        title: text above the block.
        rows: labels to the left, evenly spread over the lines.
        above: labels above the columns of a block without a title.
        below: labels below the columns of a block without labels above.
        framed: (line, column) of each image that gets a frame.
    """

    images: Tensor
    title: str = ""
    rows: Sequence[str] = ()
    above: Sequence[str] = ()
    below: Sequence[str] = ()
    framed: Sequence[tuple[int, int]] = ()


def labelled_lines(rows: Iterable[tuple[str, Tensor]]) -> Block:
    """Return a block with one line for each label.

    Each label comes with its (K, C, H, W) images, uint8 or floating point in [0, 1].

    Raises:
        ValueError: images have different shapes.
    """
    labelled = list(rows)
    check_same_shape(labelled)
    lines = [unit_interval(images).cpu() for _, images in labelled]
    return Block(torch.stack(lines), rows=tuple(label for label, _ in labelled))


def check_same_shape(labelled: Iterable[tuple[str, Tensor]]) -> None:
    """Refuse images of different shapes.

    Raises:
        ValueError: a shape differs from the first; the message names its label.
    """
    shapes = [(label, tuple(images.shape)) for label, images in labelled]
    first = shapes[0][1]
    for label, shape in shapes:
        if shape != first:
            raise ValueError(f"{label}: images of shape {shape} beside others of {first}.")


@default_settings()
def draw_blocks(blocks: Sequence[Block], columns: int = 1, caption: str = "") -> "Figure":
    """Draw blocks of equal shape in order, up to `columns` of them side by side.

    Each block has axes of its own. Only the first block of a line has room for labels to its left.

    Args:
        blocks: the blocks.
        columns: blocks in a line.
        caption: text below them, which explains what is not plain.

    Raises:
        ValueError: a block has labels above or below its columns, but not one for each.
    """
    from matplotlib.figure import Figure

    mosaics = [tiled(list(block.images), block.images.shape[1])[0] for block in blocks]
    columns = min(columns, len(blocks))
    height, width = enlarged_size(mosaics[0].shape[:2], columns, math.ceil(len(blocks) / columns))
    points = fitting_points(blocks, (height, width), POINTS * max(1.0, columns * width / WIDTH))
    em = round(points / 72 * DPI)
    widths = [words_width(words, points) for block in blocks for words in block.rows]
    left = em + max(widths, default=0)
    tops, total = line_tops(blocks, columns, height, em)
    breadth = left + columns * (width + em)
    below = fill(caption, int(breadth / (BREADTH * em)) - 2) if caption else ""
    room = round(LEADING * em * (below.count("\n") + 1) + em / 2) if caption else 0
    figure = Figure(figsize=(breadth / DPI, (total + room) / DPI), facecolor="white")
    figure.text(em / 2 / breadth, em / 2 / (total + room), below, fontsize=points, va="bottom")
    for i, (block, mosaic) in enumerate(zip(blocks, mosaics, strict=True)):
        corner = (left + i % columns * (width + em), tops[i // columns])
        axis = axes_at(figure, corner, (width, height))
        show(axis, mosaic)
        draw_labels(axis, block, mosaic.shape[:2], points)
    return figure


def enlarged_size(size: tuple[int, ...], columns: int, lines: int) -> tuple[int, int]:
    """Return height and width of each block in the picture, a whole multiple of its own size.

    The multiple is the same for all blocks.
    """
    height, width = size
    zoom = min(math.ceil(WIDTH / (columns * width)), math.ceil(HEIGHT / (lines * height)))
    return zoom * height, zoom * width


def fitting_points(blocks: Sequence[Block], size: tuple[int, int], points: float) -> float:
    """Return a font size at which every label fits what it names.

    Args:
        blocks: the blocks, with their labels.
        size: (height, width) of each block in the picture.
        points: the font size if there is room.
    """
    height, width = size
    scale = 1.0
    for block in blocks:
        names = block.above or block.below
        widest = max((words_width(words, points) for words in names), default=0)
        lines = max((wrapped(words).count("\n") + 1 for words in block.rows), default=0)
        tallest = LEADING * lines * points / 72 * DPI
        if widest:
            scale = min(scale, 0.95 * width / len(names) / widest)
        if tallest:
            scale = min(scale, height / len(block.rows) / tallest)
    return points * scale


def wrapped(words: str) -> str:
    """Return a label wrapped to lines of at most 20 characters; a long one is cut after three."""
    return fill(
        drawable(words, 3 * LONGEST), LONGEST, break_long_words=False, break_on_hyphens=False
    )


@lru_cache(maxsize=1024)  # the same few words stand in many pictures
def words_width(words: str, points: float) -> int:
    """Return the width in pixels that a label of a font size takes to the left of a block."""
    from matplotlib.textpath import TextPath

    paths = [TextPath((0, 0), line, size=points) for line in wrapped(words).splitlines()]
    width = max(path.get_extents().width for path in paths)
    return math.ceil(width / 72 * DPI)


def line_tops(blocks: Sequence[Block], columns: int, height: int, em: int) -> tuple[list[int], int]:
    """Return the pixels above each line of blocks, and the height of the whole picture.

    Blocks are `height` pixels high; labels above and below them take room of their own.
    """
    tops, bottom = [], 0
    for i in range(0, len(blocks), columns):
        line = blocks[i : i + columns]
        labelled_above = any(block.title or block.above for block in line)
        labelled_below = any(block.below for block in line)
        tops.append(bottom + (2 * em if labelled_above else em // 2))
        bottom = tops[-1] + height + (2 * em if labelled_below else em // 2)
    return tops, bottom


def axes_at(figure: "Figure", corner: tuple[int, int], size: tuple[int, int]) -> "Axes":
    """Add axes to a figure by their upper left corner and size, both (x, y) in pixels.

    The origin is the picture's upper left corner.
    """
    width, height = figure.get_size_inches() * DPI
    return figure.add_axes(
        (corner[0] / width, 1 - (corner[1] + size[1]) / height, size[0] / width, size[1] / height)
    )


def draw_labels(axis: "Axes", block: Block, size: tuple[int, ...], points: float) -> None:
    """Draw a block's labels around its mosaic of (height, width) `size`, and its frames.

    Raises:
        ValueError: the number of labels differs from that of the columns.
    """
    from matplotlib.patches import Rectangle

    lines, columns, _, height, width = block.images.shape
    names = block.above or block.below
    if names and len(names) != columns:
        raise ValueError(f"{len(names)} words for {columns} columns of images: {', '.join(names)}.")
    axis.set_title(drawable(block.title) if block.title else "", fontsize=points)
    axis.set_yticks(
        part_middles(len(block.rows), size[0]),
        [wrapped(words) for words in block.rows],
        fontsize=points,
    )
    axis.set_xticks(part_middles(len(names), size[1]), names, fontsize=points)
    axis.tick_params(labeltop=bool(block.above), labelbottom=not block.above)
    for line, column in block.framed:
        centre = part_middles(columns, size[1])[column], part_middles(lines, size[0])[line]
        corner = centre[0] - width / 2, centre[1] - height / 2
        frame = Rectangle(corner, width, height, fill=False, edgecolor=FRAME, linewidth=2)
        frame.set_clip_on(False)
        axis.add_patch(frame)


def part_middles(count: int, length: int) -> list[float]:
    """Return the middles of `count` equal parts of `length` pixels.

    The coordinates are those of a picture, in which the middle of the first pixel is 0.
    """
    return [(i + 0.5) * length / count - 0.5 for i in range(count)]

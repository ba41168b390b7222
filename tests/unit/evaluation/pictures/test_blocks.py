"""Blocks of images: every pixel in its place, every word in its own."""

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from reslag_vae.evaluation.pictures.blocks import (
    HEIGHT,
    WIDTH,
    Block,
    check_same_shape,
    draw_blocks,
    labelled_lines,
)
from reslag_vae.evaluation.pictures.figures import DPI, tiled


def painted(figure: Figure) -> Any:
    """The picture's canvas with everything drawn."""
    figure.set_dpi(DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas


def inside(pixels: np.ndarray, axis: Axes) -> np.ndarray:
    """What is painted in a pair of axes, whose edges must lie between pixels."""
    edges = np.array(axis.get_window_extent().extents)
    assert edges == pytest.approx(edges.round(), abs=1e-6)
    left, bottom, right, top = edges.round().astype(int)
    return pixels[len(pixels) - top : len(pixels) - bottom, left:right]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 2)])
def test_each_pixel_is_a_whole_square_of_the_picture(
    channels: int, count: int, columns: int
) -> None:
    blocks = [
        Block(torch.rand(2, 5, channels, 28, 28), "title", rows=["a", "b"], below=list("12345"))
        for _ in range(count)
    ]
    figure = draw_blocks(blocks, columns)
    pixels = np.asarray(painted(figure).buffer_rgba())[..., :3]

    assert len(figure.axes) == count
    for block, axis in zip(blocks, figure.axes, strict=True):
        mosaic, _ = tiled(list(block.images), 5)
        colours = np.round(255 * mosaic.reshape(*mosaic.shape[:2], channels)).repeat(
            3 // channels, 2
        )
        seen = inside(pixels, axis)
        zoom = len(seen) // len(mosaic)
        assert zoom > 1
        # Grey goes through a table of 256 greys.
        assert np.abs(seen - colours.repeat(zoom, 0).repeat(zoom, 1)).max() <= 2
        assert columns * seen.shape[1] >= WIDTH or -(-count // columns) * len(seen) >= HEIGHT


@pytest.mark.parametrize("columns", [8, 16])
def test_words_lie_in_the_picture_and_on_nothing_else(columns: int) -> None:
    images = torch.zeros(2, columns, 1, 28, 28)
    titled = Block(
        images, "the title of this block", rows=["original", "ResLag VAE (light), with many words"]
    )
    named = Block(images, rows=["T-shirt/top -> Ankle boot", "x"], above=["-2.25σ"] * columns)
    errors = Block(images, rows=["y", "z"], below=["9.99"] * columns)
    figure = draw_blocks([titled, named, errors])
    renderer = painted(figure).get_renderer()
    texts = [
        text
        for text in figure.findobj(Text)
        if isinstance(text, Text) and text.get_text() and text.get_visible()
    ]
    words = [text.get_window_extent(renderer) for text in texts]

    assert len(words) == 7 + 2 * columns
    boxes = [axis.get_window_extent() for axis in figure.axes] + words
    for i, box in enumerate(words):
        assert box.xmin >= 0
        assert box.ymin >= 0
        assert box.xmax <= figure.bbox.width
        assert box.ymax <= figure.bbox.height
        assert (
            box.count_overlaps(
                [other for j, other in enumerate(boxes) if j != i + len(figure.axes)]
            )
            == 0
        )


def test_words_are_spread_over_what_they_name() -> None:
    images = torch.zeros(4, 3, 1, 6, 6)
    both = draw_blocks(
        [Block(images, rows=["model"], above=["1", "2", "3"]), Block(images, rows=list("abcd"))],
        columns=2,
    )
    first, second = both.axes

    assert list(first.get_yticks()) == [13.5]
    assert list(second.get_yticks()) == [3, 10, 17, 24]
    assert list(first.get_xticks()) == [3, 10, 17]
    assert [label.get_text() for label in first.get_xticklabels()] == ["1", "2", "3"]


def test_frames_are_around_their_images() -> None:
    images = torch.zeros(2, 3, 1, 32, 32)
    [axis] = draw_blocks([Block(images, framed=[(0, 0), (1, 2)])]).axes
    # A place is 34 pixels: the image and one pixel to each side.
    frames = [patch.get_bbox().bounds for patch in axis.patches]  # type: ignore[attr-defined]

    assert frames == [(0.5, 0.5, 32, 32), (68.5, 34.5, 32, 32)]


def test_words_that_are_not_one_for_each_column_are_refused() -> None:
    with pytest.raises(ValueError, match=r"2 words for 3 columns of images: a, b\."):
        draw_blocks([Block(torch.zeros(1, 3, 1, 4, 4), above=["a", "b"])])


def test_lines_take_images_as_data_sets_hold_them() -> None:
    image = torch.arange(16, dtype=torch.uint8).view(1, 1, 4, 4)
    block = labelled_lines([("x", image), ("x", image / 255)])

    assert block.rows == ("x", "x")
    assert block.images.shape == (2, 1, 1, 4, 4)
    assert torch.equal(block.images[0], block.images[1])


def test_images_of_another_shape_are_named() -> None:
    with pytest.raises(
        ValueError, match=r"VAE: images of shape \(2, 1, 4, 4\) beside others of \(3, 1, 4, 4\)\."
    ):
        check_same_shape([("original", torch.zeros(3, 1, 4, 4)), ("VAE", torch.zeros(2, 1, 4, 4))])

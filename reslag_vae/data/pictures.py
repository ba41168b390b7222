"""The decoding of one picture file to a square of fixed size."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reslag_vae._runtime.images import over_white
from reslag_vae.data.bit_depth import Range, depth_of, in_eight_bits
from reslag_vae.data.budget import Budget
from reslag_vae.data.formats import formats

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# From (width, height) of a picture to the part to keep: left, top, right, bottom, in pixels.
Region = Callable[[int, int], tuple[int, int, int, int]]

# Pixels of one picture, and of all that are decoded at the same time. One picture of a hundred
# million takes a gigabyte.
MOST_PIXELS = 1 << 28
BUDGET = Budget(1 << 26)


class Picture(NamedTuple):
    """A decoded picture.

    Attributes:
        pixels: (size, size, channels) uint8 pixels.
        frames: number of frames of an animation, or of pages; the first one is decoded.
        peak: largest value of a picture of 16 bits; 0 for any other.
        cut: whether it has values beyond those that were said to be black and white.
    """

    pixels: NDArray[np.uint8]
    frames: int = 1
    peak: int = 0
    cut: bool = False


def whole(width: int, height: int) -> tuple[int, int, int, int]:
    """Return the region of the whole picture, whose proportions change when it is made square."""
    return 0, 0, width, height


def centre_square(width: int, height: int, side: int | None = None) -> tuple[int, int, int, int]:
    """Return the region of a square in the middle of a picture.

    Args:
        width: width of the picture, in pixels.
        height: height of the picture, in pixels.
        side: side of the square, in pixels; the largest possible one by default, and at most.
    """
    side = min(width, height, side or width)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def centre_share(width: int, height: int, part: int, of: int) -> tuple[int, int, int, int]:
    """Return the region of a centred square whose side is `part` / `of` of the picture's width."""
    return centre_square(width, height, max(1, round(part * width / of)))


def decode(
    path: Path, size: int, channels: int, region: Region, scale: Range | None = None
) -> Picture:
    """Return a region of the upright picture, resized bilinearly with antialiasing.

    Transparent parts are laid over white. Of an animation the first frame is taken.

    Args:
        path: path of the picture.
        size: side of the square that it is resized to, in pixels.
        channels: 1 for grey, 3 for colour.
        region: function that chooses the part of the picture to keep.
        scale: values that stand for black and white; None takes 0 and the largest one that 8 or 16
            bits hold.

    Raises:
        ScaleError: neither the file nor `scale` says which value is white.
        ValueError: the file is not a whole picture, or the picture is too large. Pillow raises
            OSError, SyntaxError and others, too.
    """
    from PIL import Image, ImageOps

    with Image.open(path, formats=formats()) as file:
        width, height = file.size
        if width * height > MOST_PIXELS:
            raise ValueError(f"it has {width:,} x {height:,} pixels, more than {MOST_PIXELS:,}")
        with BUDGET.spent(width * height):
            _decode_smaller(file, size, region)
            frames = int(getattr(file, "n_frames", 1))
            depth = depth_of(file)
            upright, peak, cut = in_eight_bits(ImageOps.exif_transpose(file), depth, scale)
            picture = over_white(upright, "L" if channels == 1 else "RGB")
            # Not resize(box=...), which lets pixels around the region into its border.
            part = picture.crop(region(*picture.size))
            square = part.resize((size, size), Image.Resampling.BILINEAR)
    return Picture(np.asarray(square).reshape(size, size, channels), frames, peak, cut)


def _decode_smaller(file: "PillowImage", size: int, region: Region) -> None:
    """Let Pillow decode a JPEG at 1/2, 1/4 or 1/8 of its size, if that is large enough.

    Twice the size that is needed is left, so that the resize still does its own averaging. For
    other formats this does nothing.
    """
    width, height = file.size
    left, top, right, bottom = region(width, height)
    least = (
        math.ceil(2 * size * width / (right - left)),
        math.ceil(2 * size * height / (bottom - top)),
    )
    file.draft(file.mode, least)

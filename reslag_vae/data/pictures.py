"""Picture files: finding them, and decoding one to a square of fixed size."""

import os
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

# From (width, height) of a picture to the part to keep: left, top, right, bottom, in pixels.
Region = Callable[[int, int], tuple[int, int, int, int]]


def find_pictures(folder: Path) -> list[Path]:
    """All pictures below a folder, sorted by path; hidden files and folders are left out."""
    found = []
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES)


def whole(width: int, height: int) -> tuple[int, int, int, int]:
    """The whole picture, whose proportions change when it is made square."""
    return 0, 0, width, height


def centre_square(width: int, height: int, side: int | None = None) -> tuple[int, int, int, int]:
    """The square of `side` pixels in the middle; the largest one by default, and at most."""
    side = min(width, height, side or width)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def decode(path: Path, size: int, channels: int, region: Region) -> NDArray[np.uint8]:
    """(size, size, channels): the region of the upright picture, resized bilinearly with antialiasing.

    Transparent parts are laid over white; of an animation the first frame is taken.

    Raises:
        OSError, ValueError, SyntaxError and others of Pillow's: not a whole picture.
    """
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        _decode_smaller(file, size, region)
        picture = _to_mode(ImageOps.exif_transpose(file), "L" if channels == 1 else "RGB")
    # Not resize(box=...), which lets pixels around the region into its border.
    square = picture.crop(region(*picture.size)).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square).reshape(size, size, channels)


def _decode_smaller(file: "Picture", size: int, region: Region) -> None:
    # A JPEG can be decoded at 1/2, 1/4 or 1/8 for less work. Twice the size we need is left, so that
    # the resize still does its own averaging. For other formats this does nothing.
    width, height = file.size
    left, top, right, bottom = region(width, height)
    least = (ceil(2 * size * width / (right - left)), ceil(2 * size * height / (bottom - top)))
    file.draft(file.mode, least)


def _to_mode(picture: "Picture", mode: str) -> "Picture":
    from PIL import Image

    if picture.mode.startswith("I"):  # 16 bits, which Pillow's convert would clip at 255
        picture = Image.fromarray((np.asarray(picture) >> 8).clip(0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert(mode)

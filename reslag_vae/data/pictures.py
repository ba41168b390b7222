"""One picture file decoded to a square of fixed size."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reslag_vae.data.budget import Budget

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# From (width, height) of a picture to the part to keep: left, top, right, bottom, in pixels.
Region = Callable[[int, int], tuple[int, int, int, int]]

# The values of a picture that stand for black and for white.
Range = tuple[float, float]

# Of one picture, and of all that are decoded at the same time; one of a hundred million takes a
# gigabyte.
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # of TIFF
MOST_PIXELS = 1 << 28
BUDGET = Budget(1 << 26)


# By Pillow's names, and what Pillow must have been built with to read them.
FORMATS = {
    **dict.fromkeys(("JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM"), ""),
    **{"WEBP": "webp", "JPEG2000": "jpg_2000", "AVIF": "avif"},
    "TGA": "",
}


class ScaleError(ValueError):
    """A picture's file does not say which of its values is white.

    Attributes:
        low: the smallest of its values.
        high: the largest of them.
    """

    def __init__(self, kind: str, low: float, high: float) -> None:
        super().__init__(f"its values are of {kind}, from {low:g} to {high:g}")
        self.low, self.high = low, high


class Picture(NamedTuple):
    """A decoded picture.

    Attributes:
        pixels: (size, size, channels) uint8.
        frames: of an animation, or pages; the first one is decoded.
        peak: the largest value of a picture of 16 bits; 0 of any other.
        cut: whether it has values beyond those that were said to be black and white.
    """

    pixels: NDArray[np.uint8]
    frames: int = 1
    peak: int = 0
    cut: bool = False


@cache
def formats() -> list[str]:
    """Pillow's names of the formats that are opened, whatever a file is called.

    Pillow knows others, and hands some of them to other programs: PostScript to Ghostscript.
    """
    from PIL import features

    here = features.get_supported()
    return [name for name, needs in FORMATS.items() if not needs or needs in here]


def whole(width: int, height: int) -> tuple[int, int, int, int]:
    """The whole picture, whose proportions change when it is made square."""
    return 0, 0, width, height


def centre_square(width: int, height: int, side: int | None = None) -> tuple[int, int, int, int]:
    """The square of `side` pixels in the middle; the largest one by default, and at most."""
    side = min(width, height, side or width)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def decode(
    path: Path, size: int, channels: int, region: Region, scale: Range | None = None
) -> Picture:
    """The region of the upright picture, resized bilinearly with antialiasing.

    Transparent parts are laid over white; of an animation the first frame is taken.

    Args:
        path: of the picture.
        size: of the square, in pixels.
        channels: 1 for grey, 3 for colour.
        region: what is kept of it.
        scale: the values that stand for black and white; None takes 0 and the largest that its 8 or
            16 bits hold.

    Raises:
        ScaleError: it is of a kind whose file does not say what white is, and neither does `scale`.
        OSError, ValueError, SyntaxError and others of Pillow's: not a whole picture.
    """
    from PIL import Image, ImageOps

    with Image.open(path, formats=formats()) as file:
        width, height = file.size
        if width * height > MOST_PIXELS:
            raise ValueError(f"it has {width:,} x {height:,} pixels, more than {MOST_PIXELS:,}")
        with BUDGET.spent(width * height):
            _decode_smaller(file, size, region)
            frames = int(getattr(file, "n_frames", 1))
            deep = file.mode.startswith("I;16") or (
                file.mode == "I" and file.format in ("PNG", "PPM")
            )
            colours = (
                not deep
                and file.mode not in ("I", "F")
                and any(";16" in str(tile[3]) for tile in file.tile)
            )
            negative = deep and getattr(file, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO
            if file.format == "PPM":  # whose head says which value is white: Pillow has scaled it
                scale = None
            upright, cut = ImageOps.exif_transpose(file), False
            if colours:
                peak = _peak_of_colours(file, scale)
            else:
                upright, peak, cut = _in_eight_bits(upright, deep, negative, scale)
                peak = 0 if file.format == "PPM" else peak
            picture = _to_mode(upright, "L" if channels == 1 else "RGB")
            # Not resize(box=...), which lets pixels around the region into its border.
            part = picture.crop(region(*picture.size))
            square = part.resize((size, size), Image.Resampling.BILINEAR)
    return Picture(np.asarray(square).reshape(size, size, channels), frames, peak, cut)


def _decode_smaller(file: "PillowImage", size: int, region: Region) -> None:
    # A JPEG can be decoded at 1/2, 1/4 or 1/8 for less work. Twice the size we need is left, so
    # that the resize still does its own averaging. For other formats this does nothing.
    width, height = file.size
    left, top, right, bottom = region(width, height)
    least = (
        math.ceil(2 * size * width / (right - left)),
        math.ceil(2 * size * height / (bottom - top)),
    )
    file.draft(file.mode, least)


def _peak_of_colours(picture: "PillowImage", scale: Range | None) -> int:
    """The largest value that colours of 16 bits may have, of which Pillow reads the upper 8."""
    if scale is not None:
        raise ValueError(
            "data.range is not for colours of 16 bits, of which only the upper 8 are read: save it with 8"
        )
    bands = zip(picture.getbands(), np.reshape(picture.getextrema(), (-1, 2)), strict=True)
    return max(int(high) << 8 | 255 for band, (_, high) in bands if band != "A")


def _in_eight_bits(
    picture: "PillowImage", deep: bool, negative: bool, scale: Range | None
) -> tuple["PillowImage", int, bool]:
    """The picture with values of 8 bits, the largest one of a `deep` picture of 16, and whether any was cut.

    Args:
        picture: of any mode.
        deep: whether it is grey, of 16 bits.
        negative: whether its 0 is white.
        scale: the values that stand for black and white, if it is said.
    """
    from PIL import Image

    if not deep and picture.mode not in ("I", "F"):
        if scale is None:
            return picture, 0, False
        if picture.mode not in ("L", "LA", "RGB", "RGBA"):
            raise ValueError(
                f"data.range is for values, and its mode is {picture.mode}: save it as grey or RGB"
            )
    values = np.asarray(picture)
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are not finite")
    if negative:
        values = 65535 - values
    alpha = values[..., -1:] if picture.mode in ("LA", "RGBA") else None
    seen = values if alpha is None else values[..., :-1]
    peak, cut = 0, False
    if scale is not None:
        low, high = scale
        cut = bool(seen.min() < low or seen.max() > high)
        eight = (
            ((seen.astype(np.float64) - low) * (255 / (high - low)))
            .round()
            .clip(0, 255)
            .astype(np.uint8)
        )
    elif deep:
        peak = int(seen.max())
        eight = (seen >> 8).clip(0, 255).astype(np.uint8)
    else:
        kind = "floating point" if picture.mode == "F" else "32 bits, or 16 with a sign"
        raise ScaleError(kind, float(seen.min()), float(seen.max()))
    through = picture.info.get("transparency")  # one value, of a picture without an alpha channel
    if alpha is not None:
        eight = np.concatenate([eight, alpha], axis=-1)
    elif through is not None:
        clear = np.asarray(picture) == np.asarray(through)
        eight[clear.all(-1) if eight.ndim == 3 else clear] = 255
    return Image.fromarray(eight), peak, cut


def _to_mode(picture: "PillowImage", mode: str) -> "PillowImage":
    from PIL import Image

    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert(mode)


def likely_range(low: float, high: float) -> str:
    """A guess at black and white from the values of pictures, as one would write it: `[0,4095]`.

    The largest value is that of the fewest bits, 8 at least, that hold all; 1 where there are none
    above it.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "[0,1]"
    largest = max(abs(low), abs(high))
    white = 1 if largest <= 1 else 2 ** max(8, math.ceil(largest).bit_length()) - 1
    return f"[{-white if low < 0 else 0},{white}]"

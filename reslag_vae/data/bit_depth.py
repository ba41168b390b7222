"""The conversion of pictures of other values, such as those of 16 bits, to values of 8 bits."""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.ImageFile import ImageFile as PillowFile

# The values of a picture that stand for black and for white.
Range = tuple[float, float]

PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # of TIFF

# The modes of Pillow whose values may be integers of 32 bits or of floating point.
WIDE_MODES = ("I", "F")


class ScaleError(ValueError):
    """The error of a picture whose file does not say which of its values is white.

    Attributes:
        low: smallest value of the picture.
        high: largest value of the picture.
    """

    def __init__(self, kind: str, low: float, high: float) -> None:
        super().__init__(f"its values are of {kind}, from {low:g} to {high:g}")
        self.low, self.high = low, high


class Depth(NamedTuple):
    """The kind of values that a picture file holds.

    Attributes:
        deep: whether the picture is grey, with 16 bits.
        colours: whether the picture is in colour, with 16 bits, of which Pillow reads the upper 8.
        negative: whether 0 is white.
        scaled: whether the file says which value is white, and Pillow has scaled the values by it.
    """

    deep: bool
    colours: bool
    negative: bool
    scaled: bool


class EightBits(NamedTuple):
    """A picture with values of 8 bits.

    Attributes:
        picture: picture in one of Pillow's modes of 8 bits.
        peak: largest value of a picture of 16 bits; 0 for any other.
        cut: whether it had values beyond those that were said to be black and white.
    """

    picture: "PillowImage"
    peak: int
    cut: bool


def depth_of(file: "PillowFile") -> Depth:
    """Return the kind of values of a picture file, before Pillow loads it."""
    mode = file.mode
    deep = mode.startswith("I;16") or (mode == "I" and file.format in ("PNG", "PPM"))
    colours = False
    if not deep and mode not in WIDE_MODES:
        colours = any(";16" in str(tile[3]) for tile in file.tile)
    negative = deep and getattr(file, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO
    return Depth(deep, colours, negative, file.format == "PPM")


def in_eight_bits(picture: "PillowImage", depth: Depth, scale: Range | None = None) -> EightBits:
    """Return a picture with values of 8 bits.

    Args:
        picture: loaded picture of any mode.
        depth: kind of values that its file holds.
        scale: values that stand for black and white; None takes 0 and the largest one that 8 or 16
            bits hold.

    Raises:
        ScaleError: neither the file nor `scale` says which value is white.
        ValueError: the picture has values that are not finite, or `scale` is not for its mode.
    """
    if depth.scaled:
        scale = None
    if depth.colours:
        return EightBits(picture, _peak_of_colours(picture, scale), cut=False)
    if not depth.deep and picture.mode not in WIDE_MODES:
        if scale is None:
            return EightBits(picture, 0, cut=False)
        if picture.mode not in ("L", "LA", "RGB", "RGBA"):
            raise ValueError(
                f"data.range is for values, and its mode is {picture.mode}: save it as grey or RGB"
            )
    return _scaled(picture, depth, scale)


def _scaled(picture: "PillowImage", depth: Depth, scale: Range | None) -> EightBits:
    """Return a picture whose values are scaled to 8 bits, without a change of its alpha channel."""
    from PIL import Image

    values = np.asarray(picture)
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are not finite")
    if depth.negative:
        values = 65535 - values
    alpha = values[..., -1:] if picture.mode in ("LA", "RGBA") else None
    seen = values if alpha is None else values[..., :-1]
    peak, cut = 0, False
    if scale is not None:
        low, high = scale
        cut = bool(seen.min() < low or seen.max() > high)
        shares = (seen.astype(np.float64) - low) * (255 / (high - low))
        eight = shares.round().clip(0, 255).astype(np.uint8)
    elif depth.deep:
        peak = 0 if depth.scaled else int(seen.max())
        eight = (seen >> 8).clip(0, 255).astype(np.uint8)
    else:
        kind = "floating point" if picture.mode == "F" else "32 bits, or 16 with a sign"
        raise ScaleError(kind, float(seen.min()), float(seen.max()))
    if alpha is not None:
        eight = np.concatenate([eight, alpha], axis=-1)
    else:
        _whiten_transparent(eight, picture)
    return EightBits(Image.fromarray(eight), peak, cut)


def _whiten_transparent(eight: NDArray[np.uint8], picture: "PillowImage") -> None:
    """Make the pixels of the one value white, in place, that a picture says is transparent."""
    transparent = picture.info.get("transparency")
    if transparent is None:
        return
    clear = np.asarray(picture) == np.asarray(transparent)
    eight[clear.all(-1) if eight.ndim == 3 else clear] = 255


def _peak_of_colours(picture: "PillowImage", scale: Range | None) -> int:
    """Return the largest value that colours of 16 bits may have, known by their upper 8 bits."""
    if scale is not None:
        raise ValueError(
            "data.range is not for colours of 16 bits, of which only the upper 8 are read: "
            "save it with 8"
        )
    bands = zip(picture.getbands(), np.reshape(picture.getextrema(), (-1, 2)), strict=True)
    return max(int(high) << 8 | 255 for band, (_, high) in bands if band != "A")


def likely_range(low: float, high: float) -> str:
    """Return a guess at the values that are black and white, as in `[0,4095]`.

    White is the largest value of the fewest bits, at least 8, that hold all values; it is 1 if no
    value is larger.

    Args:
        low: smallest value of some pictures.
        high: largest value of these pictures.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return "[0,1]"
    largest = max(abs(low), abs(high))
    white = 1 if largest <= 1 else 2 ** max(8, math.ceil(largest).bit_length()) - 1
    return f"[{-white if low < 0 else 0},{white}]"

"""The conversion of what a user gives to images, with clear errors."""

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

ImageShape = tuple[int, int, int]

# By which images in floating point may leave [0, 1], as those do that were resized.
TOLERANCE = 0.01

# With which torch can do little.
UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)


def as_images(given: Any, shape: ImageShape | None = None, binary: bool = False) -> Tensor:
    """Return (B, C, H, W) images in uint8 or floating point from whatever holds images.

    That is: tensors and numpy arrays of (B, C, H, W) or, as a batch of one, (C, H, W), in floating
    point in [0, 1], whole numbers in 0..255, or bool; PIL pictures of the model's size, which are
    converted to its channels; and lists of any of these. Where pixels must be black or white, whole
    numbers may also be 0 and 1, which become 0 and 255.

    Args:
        given: the images.
        shape: (C, H, W) that the images must have; None for any.
        binary: whether each pixel must be black or white.

    Raises:
        ValueError: the message says what is wanted, and what was given.
    """
    found = as_tensor(given, shape)
    images = found[None] if found.dim() == 3 else found
    wanted = "(B, C, H, W)" if shape is None else f"(B, {', '.join(map(str, shape))})"
    if (
        images.dim() != 4
        or not len(images)
        or (shape is not None and tuple(images.shape[1:]) != tuple(shape))
    ):
        hint = shape_hint(tuple(found.shape), shape)
        raise ValueError(f"images: {wanted} are wanted, and these are {tuple(found.shape)}{hint}.")
    if images.numel() == 0:
        raise ValueError(
            f"images: {wanted} are wanted, and these are {tuple(images.shape)}, without a pixel."
        )
    if images.is_complex():
        raise ValueError(
            f"images: uint8 or floating point is wanted, and these are {images.dtype}."
        )
    if images.dtype != torch.uint8:
        refuse_out_of_range(images)
    pixels = images if images.is_floating_point() else images.to(torch.uint8)
    return black_and_white(pixels) if binary else pixels


def shape_hint(found: tuple[int, ...], shape: ImageShape | None) -> str:
    """Return how images of a wrong shape become right ones, if that can be told; else nothing.

    Args:
        found: the shape that was given.
        shape: (C, H, W) that images must have; None for any.
    """
    if shape is None or len(found) not in (3, 4):
        return ""
    channels, *size = shape
    if list(found[-3:]) == [*size, channels]:
        return ": channels come before height and width"
    if channels == 1 and len(found) == 3 and list(found[1:]) == size:
        return ": several images of greys are images[:, None]"
    return ""


def as_tensor(given: Any, shape: ImageShape | None) -> Tensor:
    """Return the images that an object holds as a tensor.

    Raises:
        ValueError: the object holds no images.
    """
    if isinstance(given, Tensor):
        eight = given.is_floating_point() and given.dtype.itemsize == 1
        if given.layout != torch.strided or given.is_meta or given.is_quantized or eight:
            what = (
                "no plain tensor"
                if given.layout != torch.strided or given.is_meta
                else str(given.dtype)
            )
            raise ValueError(
                f"images: a tensor of uint8 or floating point is wanted, and this is {what}."
            )
        if given.dtype == torch.bool:
            return 255 * given.to(torch.uint8)
        return given.long() if given.dtype in UNSIGNED else given
    if isinstance(given, np.ndarray) and given.dtype.kind in "fiub":
        return as_tensor(from_array(given), shape)
    if type(given).__module__.startswith("PIL."):
        return from_picture(given, shape)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes) and len(given):
        try:
            parts = [as_tensor(part, shape) for part in given]
        except RecursionError:
            raise ValueError("images: this is a list that holds itself.") from None
        shapes = {tuple(part.shape) for part in parts}
        if len(shapes) > 1:
            raise ValueError(f"images: {unlike(shapes)}")
        return torch.stack(parts)
    raise ValueError(
        "images: a tensor, a numpy array, a PIL picture or a list of these is wanted, and this is "
        f"{type(given).__name__}."
    )


def from_array(given: NDArray[Any]) -> Tensor:
    """Return an array of numbers as a tensor, whatever its order of bytes, strides or width."""
    # PyTorch warns of arrays that cannot be written to.
    own = given.astype(given.dtype.newbyteorder("="), copy=not given.flags.writeable)
    native = np.ascontiguousarray(own, np.float64 if own.dtype == np.longdouble else None)
    return torch.from_numpy(native)


def unlike(shapes: Collection[tuple[int, ...]]) -> str:
    """Return in words how images of several shapes differ, which should have one.

    Args:
        shapes: shapes that end with height and width, before which are the channels, if any.
    """
    channels = {shape[-3] if len(shape) > 2 else 1 for shape in shapes}
    if len({shape[-2:] for shape in shapes}) == 1 and len(channels) > 1:
        counts = " and ".join(map(str, sorted(channels)))
        return (
            f"all with as many channels are wanted, and these have {counts}; pictures become alike "
            "by picture.convert('RGB') or convert('L')."
        )
    return f"all of one size are wanted, and these are {sorted(shapes)}."


def from_picture(picture: Any, shape: ImageShape | None) -> Tensor:
    """Return the (C, H, W) uint8 pixels of a PIL picture over white, with the wanted channels.

    Raises:
        ValueError: the picture has another size, or more than 8 bits.
    """
    if shape is not None and picture.size != (shape[2], shape[1]):
        raise ValueError(
            f"images: pictures of {shape[2]} x {shape[1]} are wanted, and this is {picture.size}: "
            "resize it."
        )
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        raise ValueError(
            f"images: pictures of 8 bits are wanted, and the mode of this one is {picture.mode}: "
            "give it as an array of floating point in [0, 1]."
        )
    grey = shape[0] == 1 if shape is not None else picture.mode in ("1", "L")
    pixels = np.asarray(over_white(picture, "L" if grey else "RGB"))
    return torch.from_numpy(pixels.copy()).reshape(*pixels.shape[:2], -1).permute(2, 0, 1)


def over_white(picture: "PillowImage", mode: str) -> "PillowImage":
    """Return a PIL picture in a mode without transparency, its transparent parts over white."""
    from PIL import Image

    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert(mode)


def refuse_out_of_range(images: Tensor) -> None:
    """Refuse images with values that pixels cannot have.

    Raises:
        ValueError: the message says between which values the images lie.
    """
    smallest, largest = torch.aminmax(images.detach())
    low, high = float(smallest), float(largest)
    if not math.isfinite(low) or not math.isfinite(high):
        raise ValueError("images: finite values are wanted, and these hold infinities or NaN.")
    if not images.is_floating_point():
        if low < 0 or high > 255:
            raise ValueError(
                f"images: whole numbers must lie in 0..255, and these go from {low:g} to {high:g}."
            )
        return
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        divide = ": divide them by 255, or give uint8" if low >= 0 and high <= 255.5 else ""
        raise ValueError(
            f"images: floating point must lie in [0, 1], and these go from {low:g} to "
            f"{high:g}{divide}."
        )


def black_and_white(images: Tensor) -> Tensor:
    """Return images of two values: 0 and 255 as uint8, 0 and 1 in floating point.

    Args:
        images: (B, C, H, W) uint8, of 0 and 1 or of 0 and 255, or floating point of 0 and 1.

    Raises:
        ValueError: there are other values.
    """
    values = images.detach()
    scaled = not images.is_floating_point() and int(values.max()) > 1
    white = 255 if scaled else 1
    others = (values != 0) & (values != white)
    if others.any():
        raise ValueError(
            "images: black and white ones are wanted, of 0 and 1 or, as whole numbers, of 0 and "
            f"255: the likelihood gives nothing else a probability, and these hold "
            f"{float(values[others][0]):g}."
        )
    return images if scaled or images.is_floating_point() else 255 * images

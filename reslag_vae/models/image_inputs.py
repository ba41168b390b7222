"""The conversion of what a user gives to images or latents of a model, with clear errors."""

import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reslag_vae.likelihoods.pixels import unit_interval

ImageShape = tuple[int, int, int]

# By which images in floating point may leave [0, 1], as those do that were resized.
TOLERANCE = 0.01

# With which torch can do little.
UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)

# Samples that are drawn at a time, at most: more would not fit into memory.
MOST_SAMPLES = 1_000_000

# At which images are finite all the same.
HIGHEST_TEMPERATURE = 1e6


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
    images = as_tensor(given, shape)
    if images.dim() == 3:
        images = images[None]
    wanted = "(B, C, H, W)" if shape is None else f"(B, {', '.join(map(str, shape))})"
    if (
        images.dim() != 4
        or not len(images)
        or (shape is not None and tuple(images.shape[1:]) != tuple(shape))
    ):
        last = tuple(images.shape[1:]) if images.dim() == 4 else ()
        hint = (
            ": channels come before height and width"
            if shape and last == (*shape[1:], shape[0])
            else ""
        )
        raise ValueError(f"images: {wanted} are wanted, and these are {tuple(images.shape)}{hint}.")
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
        own = given.astype(given.dtype.newbyteorder("="))
        native = np.ascontiguousarray(own, np.float64 if own.dtype == np.longdouble else None)
        return as_tensor(torch.from_numpy(native), shape)
    if type(given).__module__.startswith("PIL."):
        return from_picture(given, shape)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes) and len(given):
        try:
            parts = [as_tensor(part, shape) for part in given]
        except RecursionError:
            raise ValueError("images: this is a list that holds itself.") from None
        shapes = {tuple(part.shape) for part in parts}
        if len(shapes) > 1:
            raise ValueError(f"images: all of one size are wanted, and these are {sorted(shapes)}.")
        return torch.stack(parts)
    raise ValueError(
        "images: a tensor, a numpy array, a PIL picture or a list of these is wanted, and this is "
        f"{type(given).__name__}."
    )


def from_picture(picture: Any, shape: ImageShape | None) -> Tensor:
    """Return the (C, H, W) uint8 pixels of a PIL picture, with the wanted channels.

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
    pixels = np.asarray(picture.convert("L" if grey else "RGB"))
    return torch.from_numpy(pixels.copy()).reshape(*pixels.shape[:2], -1).permute(2, 0, 1)


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


def on_model(images: Tensor, parameter: Tensor) -> Tensor:
    """Return images in [0, 1] in the precision and on the device of a model's parameter."""
    return unit_interval(images.to(parameter.device)).to(parameter.dtype)


def as_latents(
    given: Any, dimensions: int | None = None, parameter: Tensor | None = None
) -> Tensor:
    """Return (B, d) latents in the precision and on the device of a model.

    Args:
        given: a tensor, a numpy array or lists of numbers, of (B, d) or, as a batch of one, (d,).
        dimensions: d that the latents must have; None for any.
        parameter: a parameter of the model; None keeps the latents' own precision and device.

    Raises:
        ValueError: the message says what is wanted, and what was given.
    """
    wanted = f"(B, {'d' if dimensions is None else dimensions})"
    try:
        latents = torch.as_tensor(given)
        if latents.layout != torch.strided or latents.is_meta or latents.is_quantized:
            raise TypeError
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"latents: {wanted} numbers are wanted, and this is {type(given).__name__}."
        ) from None
    if latents.dim() == 1 and latents.numel():
        latents = latents[None]
    # A model without latents is given (B, 0).
    fits = latents.dim() == 2 and len(latents) > 0
    if not fits or latents.shape[1] != (dimensions if dimensions is not None else latents.shape[1]):
        raise ValueError(f"latents: {wanted} are wanted, and these are {tuple(latents.shape)}.")
    if latents.is_complex() or latents.dtype == torch.bool:
        raise ValueError(f"latents: floating point is wanted, and these are {latents.dtype}.")
    if parameter is not None:
        latents = latents.to(parameter)
    elif not latents.is_floating_point():
        latents = latents.float()
    if not latents.detach().isfinite().all():
        raise ValueError("latents: finite numbers are wanted, and these hold infinities or NaN.")
    return latents


def check_count(name: str, count: Any, most: int = MOST_SAMPLES) -> int:
    """Return a number of things as Python's own, after a check that it is at least 1.

    Args:
        name: name of the argument.
        count: value of the argument.
        most: largest number.

    Raises:
        ValueError: the value is not a whole number from 1 to `most`.
    """
    return check_whole(name, count, 1, most)


def check_whole(name: str, value: Any, least: int, most: int) -> int:
    """Return a whole number, such as numpy's, as Python's own.

    Raises:
        ValueError: it is none from `least` to `most`.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except (TypeError, ValueError):  # what is no number at all, and a tensor of several
        number = None
    if number is None or not least <= number <= most:
        raise ValueError(f"{name}={value}: must be a whole number from {least} to {most}.")
    return number


def check_temperature(value: Any) -> float:
    """Return a factor of standard deviations.

    Raises:
        ValueError: it is no number from 0 to 1,000,000.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 <= float(value) <= HIGHEST_TEMPERATURE:
        raise ValueError(
            f"temperature={value}: must be a number from 0 to {HIGHEST_TEMPERATURE:,.0f}."
        )
    return float(value)

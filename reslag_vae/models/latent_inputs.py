"""The conversion of what a user gives to latents of a model, with clear errors."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from reslag_vae._runtime.images import from_array

# What a list may hold of each image.
HELD = (Tensor, np.ndarray)


def as_latents(
    given: Any, dimensions: int | None = None, parameter: Tensor | None = None
) -> Tensor:
    """Return (B, d) latents in the precision and on the device of a model.

    Args:
        given: a tensor, a numpy array or lists of numbers, of (B, d) or, as a batch of one, (d,);
            or a list of tensors or arrays, one for each image.
        dimensions: d that the latents must have; None for any.
        parameter: a parameter of the model; None keeps the latents' own precision and device.

    Raises:
        ValueError: the message says what is wanted, and what was given.
    """
    wanted = f"(B, {'d' if dimensions is None else dimensions})"
    try:
        latents = as_tensor(given)
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


def as_tensor(given: Any) -> Tensor:
    """Return the numbers that an object holds as a tensor.

    Raises:
        TypeError: it holds none. PyTorch raises ValueError and RuntimeError, too.
    """
    if isinstance(given, np.ndarray) and given.dtype.kind in "fiub":
        return from_array(given)
    if isinstance(given, list | tuple) and any(isinstance(own, HELD) for own in given):
        return torch.stack([as_tensor(own) for own in given])
    return torch.as_tensor(given)

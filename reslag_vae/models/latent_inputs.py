"""The conversion of what a user gives to latents of a model, with clear errors."""

from typing import Any

import torch
from torch import Tensor


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

"""Class numbers and names, of whatever labels a user has."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reslag_vae.data.errors import DataError


def labels_of(given: Any, count: int, name: str = "labels") -> NDArray[Any]:
    """Return (N,) class numbers or names, as they were given; -1 for each image if None was.

    Args:
        given: labels, one for each image.
        count: number N of images.
        name: name of the argument.

    Raises:
        DataError: they are not one for each image, or neither whole numbers nor names.
    """
    if given is None:
        return np.full(count, -1)
    try:
        labels = as_array(given)
    except ValueError:
        raise DataError(
            f"{name}: (N,) whole numbers or names are wanted, one for each image, and these are "
            "rows of several lengths."
        ) from None
    if labels.ndim != 1 or labels.dtype.kind not in "iubU":
        raise DataError(
            f"{name}: (N,) whole numbers or names are wanted, one for each image, and these are "
            f"{labels.dtype} of {labels.shape}."
        )
    if len(labels) != count:
        raise DataError(f"{name}: one for each of {count:,} images is wanted, not {len(labels):,}.")
    return labels


def as_array(given: Any) -> NDArray[Any]:
    """Return labels as an array; of Python's texts or whole numbers, as pandas has them, numpy's.

    Args:
        given: labels in whatever holds them.

    Raises:
        ValueError: they are rows of several lengths.
    """
    labels = given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
    if labels.dtype.kind in "OT":  # objects, or numpy's texts of any length
        for kind in (str, int):
            if all(isinstance(own, kind) for own in labels.flat):
                return np.asarray(labels.tolist())
    return labels


def numbered(
    parts: Sequence[NDArray[Any]], names: Sequence[str] | None = None
) -> tuple[Tensor, list[str]]:
    """Return class numbers from 0, and the names of the classes in order.

    Args:
        parts: (N_i,) labels of each part of the images: whole numbers, negative where there is
            none, or names.
        names: names of the classes, if the labels are their numbers already; None finds them.

    Returns:
        The (N,) int64 class numbers of all parts, -1 where there is none, and the names.

    Raises:
        DataError: there are names, and the labels are not their numbers.
    """
    if names is not None:
        for part in parts:
            largest = max(part.tolist())
            if part.dtype.kind == "U" or largest >= len(names):
                raise DataError(
                    f"labels: beside class_names they are the numbers of {len(names)} classes, "
                    f"from 0, or -1 for none, and these go up to {largest}."
                )
        numbers = [part.astype(np.int64).clip(-1) for part in parts]
        return torch.from_numpy(np.concatenate(numbers)), list(map(str, names))
    values = [value for part in parts for value in part.tolist()]
    known = sorted({value for value in values if not is_missing(value)}, key=order)
    number = {value: index for index, value in enumerate(known)}
    labels = [-1 if is_missing(value) else number[value] for value in values]
    return torch.tensor(labels, dtype=torch.int64), list(map(str, known))


def is_missing(value: Any) -> bool:
    """Return whether a label says that there is none."""
    return not isinstance(value, str) and value < 0


def order(value: Any) -> tuple[bool, Any]:
    """Return a sort key of a label: numbers come before names."""
    return isinstance(value, str), value

"""A file of decoded pictures, which is read by memory mapping."""

import os
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reslag_vae.data.errors import DataError
from reslag_vae.data.inventory import DIGEST_BYTES, image_digests
from reslag_vae.data.pictures import Picture
from reslag_vae.data.scratch import scratch


class Decoded(NamedTuple):
    """Decoded pictures, and what is known of each.

    Attributes:
        images: (N, C, H, W) uint8 images, channels last in memory, memory-mapped. What is written
            to them stays in this process's memory.
        digests: (N,) digests of the images' pixels.
        frames: (N,) numbers of frames or pages of the pictures.
        peaks: (N,) largest values of the pictures of 16 bits; 0 for any other.
        lightest: (N,) largest values of the images.
        constant: (N,) whether all pixels of the image are the same.
        cut: (N,) whether the picture has values beyond those that were said to be black and white.
    """

    images: Tensor
    digests: NDArray[np.void]
    frames: NDArray[np.int64]
    peaks: NDArray[np.int64]
    lightest: NDArray[np.uint8]
    constant: NDArray[np.bool_]
    cut: NDArray[np.bool_]


def read_decoded(path: Path, shape: tuple[int, ...]) -> Decoded | None:
    """Return the pictures in a file, or None if it is missing, damaged or of another shape.

    Args:
        path: path of the file of pixels; the other numbers are in an .npz file beside it.
        shape: (N, H, W, C), the shape of the images.
    """
    try:
        # Copy on write, because torch warns of arrays that cannot be written to.
        images = np.load(path, mmap_mode="c")
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            facts = dict(file)
        digests = facts.pop("digests").view(np.dtype((np.void, DIGEST_BYTES)))[:, 0]
        found = Decoded(_channels_first(images), digests, **facts)
    except Exception:  # a damaged file fails in any way: it is made anew
        return None
    whole = images.shape == shape and images.dtype == np.uint8
    return found if whole and all(len(fact) == shape[0] for fact in found) else None


def write_decoded(
    path: Path,
    shape: tuple[int, ...],
    parts: Iterator[list[Picture]],
    check: Callable[[Decoded], None],
    purpose: str,
) -> None:
    """Write pictures to a file, which appears whole or not at all.

    Only one process may do this for one purpose at a time.

    Args:
        path: path of the file of pixels; the other numbers go to an .npz file beside it.
        shape: (N, H, W, C), the shape of the images.
        parts: pictures in their order, some at a time.
        check: function that refuses what was written, by an exception, before the file appears.
        purpose: name of the folder in which the file is unfinished.

    Raises:
        DataError: the file cannot be written.
    """
    facts: list[dict[str, NDArray[np.generic]]] = []
    try:
        with scratch(path.parent, purpose) as folder:
            unfinished = folder / path.name
            with unfinished.open("wb") as file:
                # A stream: a full disk is an error here, where writing to a memory map would crash.
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for part in parts:
                    pixels = np.stack([picture.pixels for picture in part])
                    file.write(pixels.tobytes())
                    facts.append(_facts(part, pixels))
            every = {name: np.concatenate([part[name] for part in facts]) for name in facts[0]}
            with unfinished.with_suffix(".npz").open("wb") as file:
                # numpy's stubs take names for options
                np.savez(file, **every)  # type: ignore[arg-type]
            found = read_decoded(unfinished, shape)
            assert found is not None, "it was written just now"
            check(found)
            os.replace(unfinished.with_suffix(".npz"), path.with_suffix(".npz"))
            os.replace(unfinished, path)
    except OSError as reason:
        size = prod(shape) / 1e9
        raise DataError(
            f"The decoded images ({size:.2f} GB) cannot be written to {path}: {reason}."
        ) from None


def _channels_first(images: NDArray[np.uint8]) -> Tensor:
    """Return (N, C, H, W) images, channels last in memory, as a view of (N, H, W, C) ones."""
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def _facts(pictures: list[Picture], pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
    """Return what the .npz file holds of some pictures, (N, ...) arrays by name."""
    digests = image_digests(_channels_first(pixels))
    return {
        "digests": digests.view(np.uint8).reshape(len(pixels), DIGEST_BYTES),
        "frames": np.array([picture.frames for picture in pictures]),
        "peaks": np.array([picture.peak for picture in pictures]),
        "cut": np.array([picture.cut for picture in pictures]),
        "lightest": pixels.max((1, 2, 3)),
        "constant": (pixels == pixels[:, :1, :1]).all((1, 2, 3)),
    }

"""The reading of picture files in batches, several at a time and one batch ahead of the model."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae._runtime.errors import first_line
from reslag_vae.data.pictures import Picture
from reslag_vae.likelihoods.pixels import WHITE_FROM


class Batch(NamedTuple):
    """Pictures that were read.

    Attributes:
        positions: numbers of the files that could be read, from 0.
        images: (B, C, H, W) uint8 images of these; None if there are none.
        failures: reason for each file that could not be read, by its number.
    """

    positions: list[int]
    images: Tensor | None
    failures: dict[int, str]


def read_batches(
    files: Sequence[Path], decode: Callable[[Path], Picture], size: int, binary: bool = False
) -> Iterator[Batch]:
    """Yield the pictures of some files at a time, in order.

    Args:
        files: paths of the files.
        decode: function that decodes one; it is called from several threads.
        size: number of files in a batch.
        binary: whether pixels are made black or white.
    """
    starts = range(0, len(files), size)
    with ThreadPoolExecutor() as pool, warnings.catch_warnings():
        # Pillow's, of large pictures and odd metadata: what it reads is whole.
        warnings.simplefilter("ignore")
        ahead: list[Future[Picture]] = []
        for start in starts:
            now = ahead or [pool.submit(decode, path) for path in files[start : start + size]]
            following = files[start + size : start + 2 * size]
            ahead = [pool.submit(decode, path) for path in following]
            try:
                yield collected(now, start, binary)
            except GeneratorExit:
                pool.shutdown(cancel_futures=True)
                raise


def collected(futures: Sequence[Future[Picture]], start: int, binary: bool) -> Batch:
    """Return the pictures of a batch, and the reasons why others cannot be read.

    Args:
        futures: pictures that are being decoded.
        start: number of the first one.
        binary: whether pixels are made black or white.
    """
    pixels, failures = {}, {}
    for position, future in enumerate(futures, start):
        try:
            pixels[position] = future.result().pixels
        except MemoryError:
            failures[position] = "there is too little memory to decode it"
        except Exception as reason:  # Pillow raises a dozen kinds; each is told with its file
            failures[position] = first_line(reason)
    if not pixels:
        return Batch([], None, failures)
    images = torch.from_numpy(np.stack(list(pixels.values()))).permute(0, 3, 1, 2)
    if binary:
        images = 255 * (images >= WHITE_FROM).to(torch.uint8)
    return Batch(list(pixels), images, failures)

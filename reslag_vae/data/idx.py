"""The reading of MNIST's file format, IDX: http://yann.lecun.com/exdb/mnist."""

import gzip
import zlib
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reslag_vae.data.errors import damaged, refuse_special

# No data set in this format has files of more bytes: the largest, EMNIST's, has 550 million.
MOST_BYTES = 1 << 30


def read_content(path: Path, dimensions: int) -> bytearray:
    """Return the bytes of a file, or of the compressed file in its place.

    No more is unpacked than the header promises.

    Args:
        path: path of the file, without `.gz`.
        dimensions: number of dimensions that the header must have.

    Raises:
        DataError: the file cannot be read or unpacked, or is not what its header says.
    """
    path = path if path.exists() else path.with_name(path.name + ".gz")
    refuse_special(path)
    magic = bytes([0, 0, 8, dimensions])  # 8: unsigned bytes
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(_header_size(dimensions))
            if header[:4] != magic:
                raise damaged(
                    path, f"it begins with {header[:4].hex()}, where {magic.hex()} is expected"
                )
            size = prod(_shape(header, dimensions))
            # bytearray, because torch warns of a tensor over bytes, which cannot be written to.
            content = bytearray(header + file.read(min(size, MOST_BYTES) + 1))
    except (OSError, EOFError, zlib.error) as reason:
        raise damaged(path, str(reason)) from None
    promised = len(header) + size
    if len(content) != promised:
        has = "more" if len(content) > promised else len(content)
        raise damaged(path, f"its header promises {promised} bytes, and it has {has}")
    return content


def values_of(content: bytearray, dimensions: int) -> Tensor:
    """Return the uint8 numbers of a file, in the shape that its header has.

    Args:
        content: bytes of the file.
        dimensions: number of dimensions of the shape.
    """
    values = np.frombuffer(content, np.uint8, offset=_header_size(dimensions))
    return torch.from_numpy(values.reshape(_shape(content, dimensions)))


def _header_size(dimensions: int) -> int:
    """Return the size of the header of a file with some number of dimensions, in bytes."""
    return 4 + 4 * dimensions


def _shape(header: bytes | bytearray, dimensions: int) -> list[int]:
    """Return the shape that a header has."""
    return [int.from_bytes(header[i : i + 4], "big") for i in range(4, _header_size(dimensions), 4)]

"""MNIST's file format, IDX: http://yann.lecun.com/exdb/mnist."""

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from reslag_vae.data.download import fetch
from reslag_vae.data.errors import damaged
from reslag_vae.data.images import Images

if TYPE_CHECKING:
    from torchvision.datasets import MNIST


def read_idx(dataset: type["MNIST"], root: Path) -> tuple[Images, Images]:
    """Train and test of MNIST or of a set in its format, from `<root>/<class name>/raw`.

    Of each file the plain one is read, or else the compressed one, which is downloaded if it is missing.
    A file that is there is never fetched again nor written to: the folder may be read-only.

    Raises:
        DataError: a file is missing and cannot be downloaded, or is damaged.
    """
    folder = root / dataset.__name__ / "raw"
    for file, md5 in dataset.resources:
        if not (folder / Path(file).stem).exists() and not (folder / file).exists():
            fetch(folder / file, [mirror + file for mirror in dataset.mirrors], md5)
    return _read_split(folder, "train"), _read_split(folder, "t10k")


def _read_split(folder: Path, prefix: str) -> Images:
    images = _read_file(folder / f"{prefix}-images-idx3-ubyte", dimensions=3)
    path = folder / f"{prefix}-labels-idx1-ubyte"
    labels = _read_file(path, dimensions=1)
    if len(labels) != len(images):
        raise damaged(path, f"it has {len(labels)} labels for {len(images)} images")
    return Images(images[:, None], labels.long())


def _read_file(path: Path, dimensions: int) -> Tensor:
    path = path if path.exists() else path.with_name(path.name + ".gz")
    content = _content(path)
    magic = bytes([0, 0, 8, dimensions])  # 8: unsigned bytes
    if content[:4] != magic:
        raise damaged(path, f"it begins with {content[:4].hex()}, where {magic.hex()} is expected")
    header = 4 + 4 * dimensions
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4)]
    if len(content) != header + prod(shape):
        raise damaged(path, f"its header promises {header + prod(shape)} bytes, and it has {len(content)}")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=header).reshape(shape))


def _content(path: Path) -> bytearray:
    # bytearray, because torch warns of a tensor over bytes, which cannot be written to.
    if path.suffix != ".gz":
        return bytearray(path.read_bytes())
    try:
        return bytearray(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, zlib.error) as reason:
        raise damaged(path, str(reason)) from None

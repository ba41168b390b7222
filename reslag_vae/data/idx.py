"""MNIST's file format, IDX: http://yann.lecun.com/exdb/mnist."""

import gzip
import hashlib
import zlib
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from reslag_vae._runtime.errors import printable
from reslag_vae.data.checks import BLACK
from reslag_vae.data.download import fetch
from reslag_vae.data.errors import DataError, damaged, refuse_special
from reslag_vae.data.images import Images

if TYPE_CHECKING:
    from torchvision.datasets import MNIST


# The md5 of the official files, unpacked: by data set, in the order of FILES.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
OFFICIAL = {
    "MNIST": (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    "FashionMNIST": (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
}

SIDE, CLASSES = (
    28,
    10,
)  # of the images, in pixels, and of the labels: of all data sets that are read here

# No data set in this format has files of more bytes: the largest, EMNIST's, has 550 million.
MOST_BYTES = 1 << 30


def read_idx(dataset: type["MNIST"], root: Path) -> tuple[Images, Images, list[str]]:
    """Train and test of MNIST or of a set in its format, from `<root>/<class name>/raw`, and what may surprise of them.

    Of each file the plain one is read, or else the compressed one, which is downloaded if it is
    missing. A file that is there is never fetched again nor written to: the folder may be
    read-only.

    Returns:
        The splits; sentences, where a file is not the official one.

    Raises:
        DataError: a file is missing and cannot be downloaded, is damaged, or is that of another
            data set.
    """
    name = dataset.__name__
    folder = root / name / "raw"
    for file, md5 in dataset.resources:
        if not (folder / Path(file).stem).exists() and not (folder / file).exists():
            fetch(folder / file, [mirror + file for mirror in dataset.mirrors], md5)
    contents = [_content(folder / file, 3 if "images" in file else 1) for file in FILES]
    others = _others(name, folder, contents)
    train, test = (_split(folder, FILES[i : i + 2], contents[i : i + 2]) for i in (0, 2))
    counts = f"{len(train):,} + {len(test):,} images"
    note = f"{', '.join(others)}: not the official file(s) of {name} ({counts}); results are not those of {name}"
    return train, test, [note] if others else []


def _others(name: str, folder: Path, contents: Sequence[bytes | bytearray]) -> list[str]:
    """The files that are not the official ones of a data set.

    Raises:
        DataError: one is another data set's, or another one of the four.
    """
    found = []
    for file, content, official in zip(FILES, contents, OFFICIAL[name], strict=True):
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        known = [(other, FILES[own.index(md5)]) for other, own in OFFICIAL.items() if md5 in own]
        if known and known[0] != (name, file):
            whose, own_name = known[0]
            raise DataError(
                f"{printable(str(folder / file))} is {own_name} of {whose}: each file has its own name and folder."
            )
        if md5 != official:
            found.append(file)
    return found


def _split(folder: Path, files: Sequence[str], contents: Sequence[bytearray]) -> Images:
    images, labels = (
        _values(content, dimensions) for content, dimensions in zip(contents, (3, 1), strict=True)
    )
    if len(labels) != len(images):
        raise damaged(folder / files[1], f"it has {len(labels)} labels for {len(images)} images")
    if not len(images):
        raise damaged(folder / files[0], "it has no images")
    if images.shape[1:] != (SIDE, SIDE):
        raise damaged(
            folder / files[0],
            f"its images have {images.shape[1]} x {images.shape[2]} pixels, not {SIDE} x {SIDE}",
        )
    if int(labels.max()) >= CLASSES:
        raise damaged(
            folder / files[1],
            f"it has the label {int(labels.max())}, and there are {CLASSES} classes from 0",
        )
    if int(images.max()) <= BLACK:
        raise damaged(
            folder / files[0], f"its pixels are 0 to {int(images.max())}, and 255 is white"
        )
    return Images(images[:, None], labels.long())


def _values(content: bytearray, dimensions: int) -> Tensor:
    values = np.frombuffer(content, np.uint8, offset=_header_size(dimensions))
    return torch.from_numpy(values.reshape(_shape(content, dimensions)))


def _header_size(dimensions: int) -> int:
    return 4 + 4 * dimensions


def _shape(header: bytes | bytearray, dimensions: int) -> list[int]:
    return [int.from_bytes(header[i : i + 4], "big") for i in range(4, _header_size(dimensions), 4)]


def _content(path: Path, dimensions: int) -> bytearray:
    """The bytes of a file, or of the compressed one in its place, of which no more is unpacked than it promises.

    Raises:
        DataError: it cannot be read or unpacked, or is not what its header says.
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

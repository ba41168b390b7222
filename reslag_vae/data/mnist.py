"""The data modules of MNIST and FashionMNIST, each of four files in the format IDX."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reslag_vae._runtime.errors import printable
from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.binarizable import BinarizableDataModule
from reslag_vae.data.checks import BLACK
from reslag_vae.data.download import fetch
from reslag_vae.data.errors import DataError, damaged
from reslag_vae.data.idx import read_content, values_of
from reslag_vae.data.images import Images, Source
from reslag_vae.data.official import torchvision_datasets

if TYPE_CHECKING:
    from torchvision.datasets import MNIST as OfficialMNIST

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

# The md5 sums of the official files, unpacked: by data set, in the order of FILES.
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

# All data sets that are read here have images of 28 x 28 pixels, and 10 classes.
SIDE, CLASSES = 28, 10


class MNIST(BinarizableDataModule):
    """MNIST: 60,000 + 10,000 handwritten digits, 1x28x28, which can be drawn in black and white.

    They are read from `<root>/MNIST/raw/`, in torchvision's layout.

    Source: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist.
    """

    name = "mnist"
    image_shape = (1, 28, 28)

    def read(self) -> Source:
        train, test, notes = read_splits(torchvision_datasets(self.name).MNIST, self.root)
        return Source(train, None, test, [str(digit) for digit in range(10)], notes=notes)


class FashionMNIST(ImageDataModule):
    """FashionMNIST: 60,000 + 10,000 pictures of clothes, 1x28x28.

    They are read from `<root>/FashionMNIST/raw/`, in torchvision's layout.

    Source: Xiao, Rasul and Vollgraf, https://arxiv.org/abs/1708.07747.
    """

    name = "fashion_mnist"
    image_shape = (1, 28, 28)

    def read(self) -> Source:
        official = torchvision_datasets(self.name).FashionMNIST
        train, test, notes = read_splits(official, self.root)
        return Source(train, None, test, list(official.classes), notes=notes)


def read_splits(dataset: type["OfficialMNIST"], root: Path) -> tuple[Images, Images, list[str]]:
    """Return train and test of MNIST or FashionMNIST, and notes on what may surprise.

    Of each file the plain one is read, or else the compressed one, which is downloaded if it is
    missing. A file that is there is never downloaded again nor written to: the folder may be
    read-only.

    Args:
        dataset: torchvision's class of the data set.
        root: folder of all data sets; the files are in `<root>/<name of the class>/raw`.

    Returns:
        Train; test; a sentence if a file is not the official one.

    Raises:
        DataError: a file is missing and cannot be downloaded, is damaged, or is that of another
            data set.
    """
    name = dataset.__name__
    folder = root / name / "raw"
    for file, md5 in dataset.resources:
        if not (folder / Path(file).stem).exists() and not (folder / file).exists():
            fetch(folder / file, [mirror + file for mirror in dataset.mirrors], md5)
    contents = [read_content(folder / file, 3 if "images" in file else 1) for file in FILES]
    others = _unofficial(name, folder, contents)
    train = _split(folder, FILES[:2], contents[:2])
    test = _split(folder, FILES[2:], contents[2:])
    note = (
        f"{', '.join(others)}: not the official file(s) of {name} ({len(train):,} + {len(test):,} "
        f"images); results are not those of {name}"
    )
    return train, test, [note] if others else []


def _unofficial(name: str, folder: Path, contents: Sequence[bytes | bytearray]) -> list[str]:
    """Return the names of the files that are not the official ones of a data set.

    Args:
        name: name of the data set.
        folder: folder of the files.
        contents: contents of the files, unpacked, in the order of FILES.

    Raises:
        DataError: a file is another data set's, or another one of the four.
    """
    found = []
    for file, content, official in zip(FILES, contents, OFFICIAL[name], strict=True):
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        known = [(other, FILES[own.index(md5)]) for other, own in OFFICIAL.items() if md5 in own]
        if known and known[0] != (name, file):
            whose, own_name = known[0]
            raise DataError(
                f"{printable(str(folder / file))} is {own_name} of {whose}: each file has its own "
                "name and folder."
            )
        if md5 != official:
            found.append(file)
    return found


def _split(folder: Path, files: Sequence[str], contents: Sequence[bytearray]) -> Images:
    """Return the split of a file of images and one of labels.

    Raises:
        DataError: the files do not go together, or hold something else.
    """
    images, labels = values_of(contents[0], 3), values_of(contents[1], 1)
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

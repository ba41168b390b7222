"""MNIST and FashionMNIST, four files in the format IDX each."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reslag_vae._runtime.errors import printable
from reslag_vae.data.base import Binarize, ImageDataModule
from reslag_vae.data.checks import BLACK
from reslag_vae.data.download import fetch
from reslag_vae.data.errors import DataError, damaged
from reslag_vae.data.idx import read_content, values_of
from reslag_vae.data.images import Images, Source

if TYPE_CHECKING:
    from torchvision.datasets import MNIST as OfficialMNIST


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


class MNIST(ImageDataModule):
    """60,000 + 10,000 handwritten digits, 1x28x28, in torchvision's layout: `<root>/MNIST/raw/`.

    Source: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist.

    Args:
        root: the folder of all data sets.
        batch_size: images in a minibatch, in every split.
        val_fraction: the part of train that is taken for validation, in (0, 1).
        seed: of the validation split, of the order of the training batches and of their drawing.
        binarize: "dynamic" draws each pixel black or white by its intensity; None leaves it grey.

    Raises:
        ValueError: an argument out of its range.
    """

    name = "mnist"
    image_shape = (1, 28, 28)

    def __init__(
        self,
        root: str | Path,
        batch_size: int,
        val_fraction: float,
        seed: int,
        binarize: Binarize = None,
    ) -> None:
        super().__init__(root, batch_size, val_fraction, seed)
        self.set_binarize(binarize)

    def read(self) -> Source:
        from torchvision import datasets

        train, test, notes = read_splits(datasets.MNIST, self.root)
        return Source(train, None, test, [str(digit) for digit in range(10)], notes=notes)


class FashionMNIST(ImageDataModule):
    """60,000 + 10,000 pictures of clothes, 1x28x28, in torchvision's layout: `<root>/FashionMNIST/raw/`.

    Source: Xiao, Rasul and Vollgraf, https://arxiv.org/abs/1708.07747.
    """

    name = "fashion_mnist"
    image_shape = (1, 28, 28)

    def read(self) -> Source:
        from torchvision import datasets

        train, test, notes = read_splits(datasets.FashionMNIST, self.root)
        return Source(train, None, test, list(datasets.FashionMNIST.classes), notes=notes)


def read_splits(dataset: type["OfficialMNIST"], root: Path) -> tuple[Images, Images, list[str]]:
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
    contents = [read_content(folder / file, 3 if "images" in file else 1) for file in FILES]
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
        values_of(content, dimensions) for content, dimensions in zip(contents, (3, 1), strict=True)
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

"""Statically binarised MNIST: digits that were drawn in black and white once and for all."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reslag_vae._runtime.errors import first_line, printable
from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.errors import PLACE_HINT, DataError, damaged, refuse_special
from reslag_vae.data.images import Images, Source

NPZ = "binarized_mnist.npz"
SPLITS = ("train", "valid", "test")
OFFICIAL = (50_000, 10_000, 10_000)
SIDE = 28
PIXELS = SIDE * SIDE

# The official files have less than 80 million bytes; in float64 a split has four times as many.
MOST_BYTES = 330_000_000

BLANK = b" \t\r\n"

# Of an image in an .npz file.
LAYOUTS = ((SIDE, SIDE), (PIXELS,), (1, SIDE, SIDE))

RECIPE = """The statically binarised MNIST is missing: in {folder} there is neither \
{npz} nor {first}
It is not downloaded. Get Larochelle's three files by hand, and put them there:
  http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/binarized_mnist_train.amat
  (likewise binarized_mnist_valid.amat and binarized_mnist_test.amat)
{hint}"""


class BinarizedMNIST(ImageDataModule):
    """Statically binarised MNIST: 50,000 + 10,000 + 10,000 digits, 1x28x28, without labels.

    Each pixel was drawn black or white once, by MNIST's intensity, when the files were made.
    `<root>/binarized_mnist/` is read: `binarized_mnist.npz` with arrays `train`, `valid` and `test`
    of (N, 28, 28) or (N, 784) numbers of any kind, 0 and 1, or else Larochelle's
    `binarized_mnist_train.amat`, `..._valid.amat` and `..._test.amat` with a line of 784 numbers
    for each image. The inventory says which was read: other drawings of the same digits give other
    results.

    Source: Salakhutdinov and Murray 2008, Larochelle and Murray 2011,
    http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist.
    """

    name = "binarized_mnist"
    image_shape = (1, SIDE, SIDE)

    @property
    def binary(self) -> bool:
        return True

    def read(self) -> Source:
        folder = self.root / "binarized_mnist"
        npz = folder / NPZ
        parts = _read_npz(npz) if npz.exists() else _read_amats(folder)
        store = torch.from_numpy(np.concatenate(parts) * np.uint8(255))[:, None]
        sizes = [len(part) for part in parts]
        labels = torch.full((len(store),), -1)
        rows = torch.split(torch.arange(len(store)), sizes)
        train, val, test = (Images(store, labels, own) for own in rows)
        what = NPZ if npz.exists() else "binarized_mnist_{train,valid,test}.amat"
        return Source(train, val, test, [], notes=[_note(what, sizes)])


def _note(what: str, sizes: list[int]) -> str:
    """Return a sentence on the files that were read, and on their numbers of images."""
    counts = " + ".join(f"{size:,}" for size in sizes)
    note = f"static binarisation, that of {what} ({counts} images)"
    if sizes == list(OFFICIAL):
        return note
    return f"{note}: not the official {' + '.join(f'{size:,}' for size in OFFICIAL)} images"


def _read_npz(path: Path) -> list[NDArray[np.uint8]]:
    """Return the three splits of an .npz file, (N, 28, 28) of 0 and 1.

    Raises:
        DataError: the file does not hold them.
    """
    refuse_special(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return [_read_array(archive, path, split) for split in SPLITS]
    except DataError:
        raise
    except zipfile.BadZipFile:
        raise damaged(path, "it is cut short, or a file of another kind") from None
    except Exception as reason:  # zipfile, zlib and numpy raise a dozen kinds
        raise damaged(path, first_line(reason)) from None


def _read_array(archive: zipfile.ZipFile, path: Path, name: str) -> NDArray[np.uint8]:
    """Return one split of an .npz file, (N, 28, 28) of 0 and 1."""
    # Not np.load, which makes room for whatever a header promises before it has read anything.
    names = archive.namelist()
    if f"{name}.npy" not in names:
        there = ", ".join(printable(own.removesuffix(".npy")) for own in names[:5])
        raise another_layout(path, f"it has no array {name}, but {there or 'none at all'}")
    size = archive.getinfo(f"{name}.npy").file_size
    if size > MOST_BYTES:
        raise damaged(path, f"{name} would take {size:,} bytes, more than {MOST_BYTES:,}")
    with archive.open(f"{name}.npy") as file:
        np.lib.format.read_magic(file)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.kind not in "buif" or shape[1:] not in LAYOUTS:
            raise another_layout(path, f"{name} is {shape} of {dtype}")
        if fortran:
            raise another_layout(path, f"{name} is in Fortran's order, not in C's")
        content = file.read()
    if len(content) != shape[0] * PIXELS * dtype.itemsize:
        raise damaged(path, f"{name} is {shape} of {dtype}, and has {len(content):,} bytes")
    array = np.frombuffer(content, dtype).reshape(-1, SIDE, SIDE)
    if not ((array == 0) | (array == 1)).all():
        raise another_layout(path, f"{name} goes from {array.min():g} to {array.max():g}")
    pixels = array.astype(np.uint8)
    _check_values(path, name, pixels)
    return pixels


def another_layout(path: Path, reason: str) -> DataError:
    """Return the error of a file that is whole, but not laid out as one of ours."""
    return DataError(
        f"{printable(str(path))} is of another layout: {reason}. Wanted are the arrays "
        f"{', '.join(SPLITS)}, each of (N, {SIDE}, {SIDE}) or (N, {PIXELS}) numbers in C's order, "
        "0 for black and 1 for white."
    )


def _check_values(path: Path, name: str, array: NDArray[np.uint8]) -> None:
    """Refuse a split without images, or whose largest value is not 1."""
    if not len(array):
        raise damaged(path, f"{name} has no images")
    if array.max() != 1:
        raise damaged(path, f"the largest value of {name} is {array.max()}, and white is 1")


def _read_amats(folder: Path) -> list[NDArray[np.uint8]]:
    """Return the three splits of Larochelle's files, (N, 28, 28) of 0 and 1.

    Raises:
        DataError: a file is missing, or does not hold a split.
    """
    paths = [folder / f"binarized_mnist_{split}.amat" for split in SPLITS]
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        recipe = RECIPE.format(
            folder=printable(str(folder.absolute())),
            npz=NPZ,
            first=" nor ".join(missing),
            hint=PLACE_HINT,
        )
        raise DataError(recipe)
    return [_read_amat(path) for path in paths]


def _read_amat(path: Path) -> NDArray[np.uint8]:
    """Return the split in one of Larochelle's files, (N, 28, 28) of 0 and 1."""
    refuse_special(path)
    rows = []
    try:
        if path.stat().st_size > MOST_BYTES:
            raise damaged(path, f"it has more than {MOST_BYTES:,} bytes")
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.isspace():
                    rows.append(_digits(path, number, line))
    except OSError as reason:
        raise damaged(path, str(reason)) from None
    if not rows:
        raise damaged(path, "it has no images")
    array = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, SIDE, SIDE) - np.uint8(ord("0"))
    _check_values(path, "its images", array)
    return array


def _digits(path: Path, number: int, line: bytes) -> bytes:
    """Return the 784 digits of a line, each of which is a number of its own."""
    digits = line.translate(None, BLANK)
    if len(digits) != PIXELS or digits.translate(None, b"01") or len(line.split()) != PIXELS:
        raise damaged(path, f"its line {number:,} is not {PIXELS} numbers, each 0 or 1")
    return digits

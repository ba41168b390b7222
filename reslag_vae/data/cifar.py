"""The data modules of CIFAR10 and CIFAR100, which are pickles with published md5 sums."""

import os
import tarfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from reslag_vae._runtime.locks import alone
from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.download import fetch
from reslag_vae.data.errors import PLACE_HINT, DataError, damaged, refuse_special
from reslag_vae.data.images import Images, Source
from reslag_vae.data.official import torchvision_datasets
from reslag_vae.data.scratch import scratch

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10 as OfficialCIFAR10


class CIFAR10(ImageDataModule):
    """CIFAR10: 50,000 + 10,000 photographs of 10 classes, 3x32x32.

    They are read from `<root>/cifar-10-batches-py/`, in torchvision's layout.

    Source: Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html.
    """

    name = "cifar10"
    image_shape = (3, 32, 32)

    def read(self) -> Source:
        train, test, class_names = read_cifar(torchvision_datasets(self.name).CIFAR10, self.root)
        return Source(train, None, test, class_names)


class CIFAR100(ImageDataModule):
    """CIFAR100: 50,000 + 10,000 photographs of 100 fine classes, 3x32x32.

    They are read from `<root>/cifar-100-python/`, in torchvision's layout.

    Source: Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html.
    """

    name = "cifar100"
    image_shape = (3, 32, 32)

    def read(self) -> Source:
        train, test, class_names = read_cifar(torchvision_datasets(self.name).CIFAR100, self.root)
        return Source(train, None, test, class_names)


def read_cifar(dataset: type["OfficialCIFAR10"], root: Path) -> tuple[Images, Images, list[str]]:
    """Return train, test and the class names of CIFAR10 or CIFAR100.

    The unpacked files are read, or else the archive beside them, which is downloaded if it is
    missing.

    Args:
        dataset: torchvision's class of the data set.
        root: folder of all data sets, in torchvision's layout.

    Raises:
        DataError: the archive is missing and cannot be downloaded, or a file's md5 is not the
            official one.
    """
    files = _official_files(dataset, root)
    if not all(path.exists() for path in files):
        _unpack(dataset, root, files)
    # torchvision unpickles, which runs code of the pickle: only after every md5 was found right.
    _check(files)
    with warnings.catch_warnings():
        # numpy 2.4 warns of how numpy 1 wrote its types into the official pickles.
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        train, test = dataset(str(root), train=True), dataset(str(root), train=False)
    return _images(train), _images(test), list(train.classes)


def _official_files(dataset: type["OfficialCIFAR10"], root: Path) -> dict[Path, str]:
    """Return the official md5 of each unpacked file by its path."""
    meta = (dataset.meta["filename"], dataset.meta["md5"])
    folder = root / dataset.base_folder
    return {folder / name: md5 for name, md5 in (*dataset.train_list, *dataset.test_list, meta)}


def _check(files: dict[Path, str]) -> None:
    """Refuse files whose md5 is not the official one.

    Args:
        files: official md5 of each file by its path.
    """
    from torchvision.datasets.utils import check_integrity

    for path, md5 in files.items():
        refuse_special(path)
        if not check_integrity(path, md5):
            raise damaged(path, f"its md5 is not {md5}")


def _unpack(dataset: type["OfficialCIFAR10"], root: Path, files: Iterable[Path]) -> None:
    """Unpack the archive, which is downloaded if it is missing, unless all files are there."""
    archive = root / dataset.filename
    if not archive.exists():
        fetch(archive, [dataset.url], dataset.tgz_md5)
    _check({archive: dataset.tgz_md5})
    target = root / dataset.base_folder
    try:
        with alone(root / f".{dataset.base_folder}.lock", f"unpacking {archive}"):
            if all(path.exists() for path in files):
                return
            # Each file appears whole or not at all, if this process is killed.
            with scratch(root, f"unpack-{dataset.base_folder}") as folder:
                with tarfile.open(archive) as tar:
                    tar.extractall(folder, filter="data")  # nothing outside of it
                unpacked = list((folder / dataset.base_folder).iterdir())
                target.mkdir(exist_ok=True)
                for path in unpacked:
                    os.replace(path, target / path.name)
    except (OSError, tarfile.TarError) as reason:
        raise DataError(
            f"{archive} cannot be unpacked into {target}: {reason}. {PLACE_HINT}"
        ) from None


def _images(dataset: "OfficialCIFAR10") -> Images:
    """Return the images of one of torchvision's splits."""
    # torchvision's array is an (N, H, W, C) view of the file's (N, C, H, W).
    return Images(torch.from_numpy(dataset.data).permute(0, 3, 1, 2), torch.tensor(dataset.targets))

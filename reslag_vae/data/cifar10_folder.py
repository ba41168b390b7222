"""The data module of CIFAR10 as picture files."""

from pathlib import Path

from reslag_vae.data.image_folder import ImageFolder


class CIFAR10Folder(ImageFolder):
    """CIFAR10 kept as picture files, in class folders under `train/` and `test/`.

    It is not the official archive: saved as JPEG, its pixels differ. Its results therefore have a
    name of their own.

    Args:
        root: folder of all data sets, in which `.cache` is made.
        batch_size: number of images in a minibatch, in every split.
        val_fraction: part of train that is taken for validation, in (0, 1).
        seed: seed of the validation split and of the order of the training batches.
        folder: folder of the pictures: absolute, in `root`, or in the working directory.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "cifar10_folder"

    def __init__(
        self, root: str | Path, batch_size: int, val_fraction: float, seed: int, folder: str | Path
    ) -> None:
        super().__init__(root, batch_size, val_fraction, seed, folder, size=32, channels=3)

"""CIFAR10 as picture files."""

from pathlib import Path

from reslag_vae.data.image_folder import ImageFolder


class CIFAR10Folder(ImageFolder):
    """CIFAR10 kept as picture files, in class folders under `train/` and `test/`.

    Not the official data set: saved as JPEG, its pixels differ. Hence a name of its own, under
    which its results stand.

    Args:
        root: the folder of all data sets, in which `.cache` is made.
        batch_size: images in a minibatch, in every split.
        val_fraction: the part of train that is taken for validation, in (0, 1).
        seed: of the validation split and of the order of the training batches.
        folder: of the pictures: absolute, in `root`, or in the working directory.

    Raises:
        ValueError: an argument out of its range.
    """

    name = "cifar10_folder"

    def __init__(
        self, root: str | Path, batch_size: int, val_fraction: float, seed: int, folder: str | Path
    ) -> None:
        super().__init__(root, batch_size, val_fraction, seed, folder, size=32, channels=3)

"""The data module of grey images that can be drawn in black and white."""

from pathlib import Path

from reslag_vae.data.base import Binarize, ImageDataModule
from reslag_vae.options import require


class BinarizableDataModule(ImageDataModule):
    """Grey images of one data set, which can be drawn in black and white.

    Args:
        root: folder of all data sets.
        batch_size: number of images in a minibatch, in every split.
        val_fraction: part of train that is taken for validation, in (0, 1).
        seed: seed of the validation split, of the order of the training batches and of the drawing
            of their pixels.
        binarize: "dynamic" draws each pixel black or white by its intensity; None leaves it grey.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        root: str | Path,
        batch_size: int,
        val_fraction: float,
        seed: int,
        binarize: Binarize = None,
    ) -> None:
        super().__init__(root, batch_size, val_fraction, seed)
        require("data.binarize", binarize)
        self.binarize = binarize
        if binarize is not None:
            self.name = f"{self.name}_{binarize}"

"""The data module of any folder of pictures."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reslag_vae._runtime.errors import printable
from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.bit_depth import Range
from reslag_vae.data.cache import decode_once
from reslag_vae.data.checks import notes_on, refuse_blank
from reslag_vae.data.classes import Classes, classes_of
from reslag_vae.data.decoded_file import Decoded
from reslag_vae.data.errors import DataError
from reslag_vae.data.formats import SUFFIXES
from reslag_vae.data.images import Images, Source
from reslag_vae.data.listing import Listing, find_in_each
from reslag_vae.data.pictures import centre_square, decode
from reslag_vae.data.splits import split_folders, split_notes
from reslag_vae.options import require


class ImageFolder(ImageDataModule):
    """Pictures of any sizes in a folder, made square.

    If there is a folder `train` or `training` in it, that one, `val` (`valid`, `validation`, `dev`,
    `eval`) and `test` (`testing`) are the splits, in any case of letters, and those that are not
    there are taken from train; else all pictures are train. If most pictures lie in subfolders, the
    first level of these names the classes, and pictures beside them are left out; else there are no
    labels. The pictures are decoded once, into a cache. EXIF orientation is honoured.

    Args:
        root: folder of all data sets, in which `.cache` is made.
        batch_size: number of images in a minibatch, in every split.
        val_fraction: part of train that is taken for validation if there is no validation folder,
            in (0, 1).
        seed: seed of the validation split and of the order of the training batches.
        folder: folder of the pictures: absolute, in `root`, or in the working directory.
        size: height and width of the images, in pixels. The shorter side of a picture is resized to
            it, and the longer one cut at both ends.
        channels: 3 for colour, 1 for grey.
        range: values of a picture that stand for black and for white; None takes 0 and the largest
            one that 8 or 16 bits hold, and refuses pictures of floating point or 32 bits, whose
            files do not say which value is white.
        passes: number of passes over the training images in an epoch; None for one.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "image_folder"

    def __init__(
        self,
        root: str | Path,
        batch_size: int,
        val_fraction: float,
        seed: int,
        folder: str | Path,
        size: int = 64,
        channels: int = 3,
        range: Sequence[float] | None = None,  # noqa: A002  # the option's name
        passes: int | None = None,
    ) -> None:
        super().__init__(root, batch_size, val_fraction, seed, passes)
        require("data.size", size)
        require("data.channels", channels)
        self.folder = Path(folder).expanduser()
        self.scale = checked_range(range)
        self.image_shape = (channels, size, size)
        self._found: Decoded | None = None

    @property
    def key(self) -> str:
        scale = "" if self.scale is None else "-range{:g}_{:g}".format(*self.scale)
        return f"{self.name}-size{self.image_shape[1]}-channels{self.image_shape[0]}{scale}"

    def read(self) -> Source:
        folder = self._existing_folder()
        parts, left_out = split_folders(folder)
        listings = dict(zip(parts, find_in_each(list(parts.values())), strict=True))
        for listing in listings.values():
            left_out += listing.left_out
        _refuse_too_few(parts, listings)
        paths = {
            split: [path.relative_to(parts[split]) for path in own.files]
            for split, own in listings.items()
        }
        classes = classes_of(paths)
        left_out += classes.left_out
        files = [parts[split] / path for split, own in classes.paths.items() for path in own]
        found = self._decoded(files, folder)
        return self._as_source(classes, parts, files, found)._replace(
            names=[path.relative_to(folder).as_posix() for path in files],
            left_out=left_out,
            notes=[
                *split_notes(folder, parts),
                *_notes(listings),
                *classes.notes,
                *notes_on(found),
            ],
        )

    def _decoded(self, files: list[Path], folder: Path) -> Decoded:
        """Return the decoded pictures, and keep them."""
        channels, size, _ = self.image_shape
        how = partial(decode, size=size, channels=channels, region=centre_square, scale=self.scale)
        check = partial(refuse_blank, files=files)
        self._found = decode_once(files, how, self.image_shape, self.key, folder, self.root, check)
        return self._found

    def _as_source(
        self, classes: Classes, parts: dict[str, Path], files: list[Path], found: Decoded
    ) -> Source:
        """Return the splits of the decoded pictures, with their classes."""
        labels = torch.tensor(classes.labels)
        rows = torch.split(torch.arange(len(files)), [len(own) for own in classes.paths.values()])
        splits = {
            split: Images(found.images, labels, own) for split, own in zip(parts, rows, strict=True)
        }
        return Source(splits["train"], splits.get("val"), splits.get("test"), classes.names)

    def digests_of(self, store: Tensor) -> NDArray[np.void]:
        assert self._found is not None, "the pictures are read"
        return self._found.digests

    def _existing_folder(self) -> Path:
        """Return the folder of the pictures, in the working directory or in `root`."""
        for place in (self.folder, self.root / self.folder):
            if os.path.isdir(place):  # Path.is_dir raises for names that are too long
                return place
        places = f"neither in {Path.cwd()} nor in {self.root.absolute()}"
        raise DataError(f"data.folder: there is no folder {printable(str(self.folder))}, {places}.")


def checked_range(values: Sequence[float] | None) -> Range | None:
    """Return the values that stand for black and for white, as floating point numbers.

    Args:
        values: values of the option `data.range`.

    Raises:
        ValueError: they are not two finite numbers, the first one smaller.
    """
    require("data.range", values)
    if values is None:
        return None
    low, high = map(float, values)
    if low >= high:
        raise ValueError(
            f"data.range={list(values)}: black must be smaller than white, as in data.range=[0,1]."
        )
    return low, high


def _notes(listings: dict[str, Listing]) -> list[str]:
    """Return the notes on the pictures of each split."""
    several = len(listings) > 1
    return [
        f"{split}: {note}" if several else note
        for split, own in listings.items()
        for note in own.notes
    ]


def _refuse_too_few(parts: dict[str, Path], listings: dict[str, Listing]) -> None:
    """Refuse a split without pictures, and fewer than three pictures.

    Args:
        parts: folder of each split.
        listings: pictures of each split.
    """
    for split, listing in listings.items():
        if not listing.files:
            others = ", ".join(f"{reason} {count}" for reason, count in listing.left_out.items())
            rest = f"; left out are: {others}" if others else ""
            place, suffixes = printable(str(parts[split])), ", ".join(sorted(SUFFIXES))
            raise DataError(f"There is no picture in {place} ({suffixes}){rest}.")
    count = sum(len(listing.files) for listing in listings.values())
    if count < 3:
        names = ", ".join(printable(str(part)) for part in parts.values())
        raise DataError(f"{names}: {count} picture(s) cannot fill train, val and test.")

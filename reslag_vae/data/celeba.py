"""The data module of CelebA."""

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reslag_vae._runtime.errors import ConfigError, printable
from reslag_vae.data.base import ImageDataModule, SplitName
from reslag_vae.data.cache import decode_once
from reslag_vae.data.celeba_lists import (
    find_list,
    official_parts,
    read_list,
    read_parts,
    refuse_duplicates,
)
from reslag_vae.data.checks import notes_on, refuse_blank
from reslag_vae.data.decoded_file import Decoded
from reslag_vae.data.errors import PLACE_HINT, DataError
from reslag_vae.data.images import Images, Source
from reslag_vae.data.listing import find_pictures
from reslag_vae.data.pictures import Region, centre_share, decode, whole
from reslag_vae.options import require

WIDTH = 178  # of the official pictures, 178 x 218
COUNT = 202_599  # of the official pictures

RECIPE = """CelebA is missing: there is no picture in {pictures}
It is not downloaded, because its host allows few downloads a day. Get it by hand, one of
  https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html
    (img_align_celeba.zip, list_eval_partition.txt, list_attr_celeba.txt)
  https://www.kaggle.com/datasets/jessicali9530/celeba-dataset
    (the whole archive)
and unpack it into {folder}, so that there is {pictures}/000001.jpg
{hint}"""


class CelebA(ImageDataModule):
    """CelebA: 202,599 faces with 40 attributes, 3 x size x size, without labels.

    They are read from `<root>/celeba/`, where you place them, in the official or Kaggle's layout.
    Splits are those of `list_eval_partition`, or by the official numbers if that is not there. If
    this leaves a split empty, as in a sample of the pictures, val and test are seeded parts of all.
    The pictures are decoded once, into a cache.

    Source: Liu, Luo, Wang and Tang, https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.

    Args:
        root: folder of all data sets.
        batch_size: number of images in a minibatch, in every split.
        val_fraction: part of train that is taken for validation if the official splits cannot be
            used, in (0, 1).
        seed: seed of that part and of the order of the training batches.
        size: height and width of the images, in pixels.
        crop: side of the centred square that is kept, in pixels of the 178 x 218 original (148 and
            178 are usual); a picture of another width is cropped in proportion. None keeps the
            whole picture and makes it square, whose pixel variance, about .087, is the nearest to
            the thesis' .0892.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "celeba"

    def __init__(
        self,
        root: str | Path,
        batch_size: int,
        val_fraction: float,
        seed: int,
        size: int = 64,
        crop: int | None = None,
    ) -> None:
        super().__init__(root, batch_size, val_fraction, seed)
        require("data.size", size)
        require("data.crop", crop)
        self.crop = crop
        self.folder = self.root / "celeba"
        self.image_shape = (3, size, size)
        self._pictures: list[str] = []
        self._found: Decoded | None = None

    @property
    def key(self) -> str:
        return f"{self.name}-size{self.image_shape[1]}-crop{self.crop or 'none'}"

    def read(self) -> Source:
        files, left_out, listed = find_pictures(self.folder / "img_align_celeba")
        if not files:
            pictures = (self.folder / "img_align_celeba").absolute()
            raise DataError(
                RECIPE.format(
                    pictures=printable(str(pictures)),
                    folder=printable(str(self.folder.absolute())),
                    hint=PLACE_HINT,
                )
            )
        self._pictures = [path.name for path in files]  # 202,599 paths would take 100 MB
        refuse_duplicates(self._pictures)
        parts = self._parts()
        size = self.image_shape[1]
        how = partial(decode, size=size, channels=3, region=_region(self.crop))
        check = partial(refuse_blank, files=files)
        self._found = decode_once(
            files, how, self.image_shape, self.key, self.folder, self.root, check
        )
        store, labels = self._found.images, torch.full((len(files),), -1)
        notes = [*listed, *notes_on(self._found)]
        if len(files) != COUNT:
            notes.append(
                f"{len(files):,} pictures, and not the official {COUNT:,}: results are not those "
                "of CelebA"
            )
        if min(torch.bincount(parts, minlength=3)) == 0:
            notes.append(
                "the official partition leaves a split empty, and so val and test are random parts"
            )
            return Source(Images(store, labels), None, None, [], self._pictures, left_out, notes)
        train, val, test = (
            Images(store, labels, (parts == part).nonzero()[:, 0]) for part in range(3)
        )
        return Source(train, val, test, [], self._pictures, left_out, notes)

    def digests_of(self, store: Tensor) -> NDArray[np.void]:
        assert self._found is not None, "the pictures are read"
        return self._found.digests

    def attributes(self, split: SplitName) -> Tensor | None:
        """Return the (N, 40) bool attributes of a split's images, in their order, after `setup`.

        They are None without `list_attr_celeba`.

        Raises:
            DataError: the list lacks a picture.
        """
        rows = self.split(split).rows
        return None if self._attribute_table is None else self._attribute_table[1][rows]

    def tell_attributes(self, names: Sequence[str] | None = None) -> list[str]:
        there = self.attribute_names
        if self._attribute_table is None:
            raise ConfigError(
                f"condition=attributes: {printable(str(self.folder))} has no list_attr_celeba.txt, "
                "which holds them."
            )
        chosen = there if names is None else list(names)
        unknown = [name for name in chosen if name not in there]
        if unknown:
            raise ConfigError(
                f"condition.names: there is no {printable(unknown[0])} among CelebA's attributes; "
                f"there are {', '.join(there)}."
            )
        table = self._attribute_table[1][:, [there.index(name) for name in chosen]]
        self._splits = {name: own.with_attributes(table) for name, own in self._splits.items()}
        self._trained_on = self._trained_on.with_attributes(table)
        return chosen

    @property
    def attribute_names(self) -> list[str]:
        """The names of the 40 attributes, after `setup`; empty without `list_attr_celeba`."""
        self.split("train")  # raises if nothing is read yet
        return [] if self._attribute_table is None else self._attribute_table[0]

    @cached_property
    def _attribute_table(self) -> tuple[list[str], Tensor] | None:
        """The names of the attributes, and those of all images; None without the list."""
        path = find_list(self.folder, "list_attr_celeba")
        if path is None:
            return None
        names, values = read_list(path, self._pictures)
        return names, values > 0

    def _parts(self) -> Tensor:
        """Return the number of each picture's split: (N,) int64, 0 train, 1 val and 2 test."""
        path = find_list(self.folder, "list_eval_partition")
        return official_parts(self._pictures) if path is None else read_parts(path, self._pictures)


def _region(crop: int | None) -> Region:
    """Return the function that chooses the part of a picture to keep."""
    return whole if crop is None else partial(centre_share, part=crop, of=WIDTH)

"""A split of a data set: uint8 images that are batched by indexing."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from reslag_vae.data.errors import DataError


class Batch(NamedTuple):
    """A minibatch of images.

    Attributes:
        images: (B, C, H, W), uint8 in 0..255 as the data modules hold it, or floating point in
            [0, 1].
        labels: (B,) int64 class numbers; -1 where the data set has none.
    """

    images: Tensor
    labels: Tensor


class Images(Dataset[Batch]):
    """Some rows of a store of images, in a fixed order.

    Splits of one data set share its store, which may be memory-mapped: making a split copies
    nothing. The store and the batches lie in memory with channels last, as the networks take them.

    Args:
        store: (M, C, H, W) uint8; copied if its channels do not lie last.
        labels: (M,) int64 class numbers; -1 where there are none.
        rows: (N,) int64, the rows of the store that belong to this split; all of them by default.
    """

    def __init__(self, store: Tensor, labels: Tensor, rows: Tensor | None = None) -> None:
        self.store = store.contiguous(memory_format=torch.channels_last)
        self.store_labels = labels
        self.rows = torch.arange(len(store)) if rows is None else rows

    @property
    def images(self) -> Tensor:
        """(N, C, H, W) uint8, copied at each access: to look at a few, index the split instead."""
        return self.store[self.rows]

    @property
    def labels(self) -> Tensor:
        """(N,) int64."""
        return self.store_labels[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Tensor) -> Batch:
        """The whole batch at the (B,) int64 positions `index` of this split."""
        # On the CPU index_select copies whole images, where indexing by [] goes through them byte
        # by byte.
        rows = self.rows.index_select(0, index)
        # index_select puts the channels of what it returns where those of its argument's shape are.
        pixels = self.store.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)
        return Batch(pixels, self.store_labels.index_select(0, rows))

    def to(self, device: torch.device, stores: dict[Tensor, Tensor]) -> "Images":
        """The same split on a device.

        Args:
            device: where to.
            stores: the copies made there so far, by their original, so that splits go on sharing
                their store.
        """
        if self.store not in stores:
            stores[self.store] = self.store.to(device)
        return Images(stores[self.store], self.store_labels.to(device), self.rows.to(device))

    def divide(self, fraction: float, seed: int) -> tuple["Images", "Images"]:
        """Two disjoint parts, the second a random `fraction` of the images (at least one).

        The first keeps its order. The second is in random order, so that its first images, which
        the pictures show, are of every class also where the data set is sorted by class.

        Raises:
            DataError: fewer than two images.
        """
        if len(self) < 2:
            raise DataError(
                f"{len(self)} image(s) cannot be divided into two splits: give more images."
            )
        size = min(max(1, round(fraction * len(self))), len(self) - 1)
        chosen = torch.from_numpy(np.random.default_rng(seed).permutation(len(self))[:size])
        rest = torch.ones(len(self), dtype=torch.bool)
        rest[chosen] = False
        return self.part(rest), self.part(chosen)

    def part(self, chosen: Tensor) -> "Images":
        """The images at the chosen positions, an index or a mask, with the same store."""
        return Images(self.store, self.store_labels, self.rows[chosen])


class Source(NamedTuple):
    """What a data set itself provides; a split that it lacks is None.

    Attributes:
        train: the training images, from which missing splits are taken.
        val: the official validation split.
        test: the official test split.
        class_names: in the order of the class numbers; empty without labels.
        names: of all images of the splits' store, as in the data set; empty where they have none.
        left_out: how many files were not read, by the reason.
        notes: sentences on what may surprise.
    """

    train: Images
    val: Images | None
    test: Images | None
    class_names: list[str]
    names: Sequence[str] = ()
    left_out: Mapping[str, int] = {}
    notes: Sequence[str] = ()

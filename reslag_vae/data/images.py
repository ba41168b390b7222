"""The images of a split, which are batched by indexing."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from reslag_vae._runtime.images import ImageShape, as_images
from reslag_vae.data.errors import DataError


class Batch(NamedTuple):
    """A minibatch of images.

    Attributes:
        images: (B, C, H, W) images, uint8 in 0..255 as the data modules give them, or floating
            point in [0, 1].
        labels: (B,) int64 class numbers, -1 if the data set has none; or (B, A) bool attributes,
            of which a conditional model is told.
    """

    images: Tensor
    labels: Tensor

    def split(self, size: int) -> list["Batch"]:
        """Return consecutive parts of `size` images; the last one may be smaller."""
        parts = zip(torch.split(self.images, size), torch.split(self.labels, size), strict=True)
        return [Batch(images, labels) for images, labels in parts]


def as_batch(given: Any) -> Batch:
    """Return a minibatch of whatever a loader gives: images, or a pair of images and labels.

    What is neither (B,) class numbers nor (B, A) attributes is left out.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(given, Batch):
        return given
    parts = list(given) if isinstance(given, list | tuple) else [given]
    labels = parts[1] if len(parts) > 1 else None
    if not parts or not isinstance(parts[0], Tensor) or parts[0].dim() != 4:
        shape = f", of {tuple(parts[0].shape)}" if parts and isinstance(parts[0], Tensor) else ""
        raise ValueError(
            "A minibatch is (B, C, H, W) images, or a pair of these and (B,) labels; this is "
            f"{type(given).__name__}{shape}."
        )
    images: Tensor = parts[0]
    if not isinstance(labels, Tensor) or labels.dim() not in (1, 2):
        labels = torch.full((len(images),), -1, device=images.device)
    return Batch(images, labels.long())


def check_images(images: Tensor, shape: ImageShape, dtype: torch.dtype, binary: bool) -> None:
    """Look whether a model can take the images of a loader as they are.

    Args:
        images: (B, C, H, W) images; a process without images has none.
        shape: (C, H, W) of the model's images.
        dtype: type of the model's parameters.
        binary: whether each pixel must be black or white.

    Raises:
        ValueError: they have another shape or type, or values that pixels cannot have.
    """
    if not len(images):
        return
    taken = as_images(images, shape, binary)
    if images.dtype not in (torch.uint8, dtype):
        raise ValueError(
            f"images: uint8, or {dtype} in [0, 1], is wanted of a loader, and these are "
            f"{images.dtype}."
        )
    if taken is not images and not torch.equal(taken, images):
        raise ValueError("images: black and white in uint8 is 0 and 255, and these are of 0 and 1.")


class Images(Dataset[Batch]):
    """The images of a split: some rows of a store of images, in a fixed order.

    Splits of one data set share its store, which may be memory-mapped: making a split copies
    nothing. The store and the batches lie in memory with channels last, as the networks take them.

    Args:
        store: (M, C, H, W) uint8 images; copied if their channels do not lie last.
        labels: (M,) int64 class numbers, -1 of an image without; None if there are none.
        rows: (N,) int64 rows of the store that belong to this split; all of them by default.
        attributes: (M, A) bool attributes, which batches hold in place of class numbers; None for
            these.
    """

    def __init__(
        self,
        store: Tensor,
        labels: Tensor | None = None,
        rows: Tensor | None = None,
        attributes: Tensor | None = None,
    ) -> None:
        self.store = store.contiguous(memory_format=torch.channels_last)
        self.store_labels = torch.full((len(store),), -1) if labels is None else labels
        self.rows = torch.arange(len(store)) if rows is None else rows
        self.store_attributes = attributes

    @property
    def images(self) -> Tensor:
        """The (N, C, H, W) uint8 images, copied at each access; index the split for a few."""
        return self.store[self.rows]

    @property
    def labels(self) -> Tensor:
        """The (N,) int64 class numbers; -1 if there are none."""
        return self.store_labels[self.rows]

    @property
    def told(self) -> Tensor:
        """What a conditional model is told: (N,) class numbers, or (N, A) bool attributes."""
        if self.store_attributes is None:
            return self.labels
        return self.store_attributes[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Batch:
        """Return the whole batch at (B,) int64 positions in this split.

        Lists, slices and masks choose as from a tensor. At a single position it is one image,
        (C, H, W), and its label, so that any DataLoader makes batches of a split.
        """
        if not isinstance(index, Tensor) or index.dtype == torch.bool:
            index = torch.arange(len(self), device=self.rows.device)[index]
        if not index.dim():
            images, labels = self[index[None]]
            return Batch(images[0], labels[0])
        # On the CPU index_select copies whole images, where indexing by [] goes through them byte
        # by byte.
        rows = self.rows.index_select(0, index)
        # index_select puts the channels of what it returns where those of its argument's shape are.
        pixels = self.store.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)
        told = self.store_labels if self.store_attributes is None else self.store_attributes
        return Batch(pixels, told.index_select(0, rows))

    def to(self, device: torch.device, stores: dict[Tensor, Tensor]) -> "Images":
        """Return the same split on a device.

        Args:
            device: device that the images are copied to.
            stores: copy of each store that was made there before. One that is made is added, so
                splits go on sharing their store.
        """
        if self.store not in stores:
            stores[self.store] = self.store.to(device)
        attributes = self.store_attributes
        return Images(
            stores[self.store],
            self.store_labels.to(device),
            self.rows.to(device),
            None if attributes is None else attributes.to(device),
        )

    def divide(self, fraction: float, seed: int) -> tuple["Images", "Images"]:
        """Return two disjoint parts, the second with a random part of the images.

        The first keeps its order. The second is in random order, so that its first images, which
        the pictures show, are of every class even if the data set is sorted by class.

        Args:
            fraction: share of the images in the second part, which has at least one.
            seed: seed of the choice.

        Raises:
            DataError: there are fewer than two images.
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
        """Return the images at chosen positions, with the same store.

        Args:
            chosen: (n,) int64 positions in this split, or an (N,) bool mask of them.
        """
        return Images(self.store, self.store_labels, self.rows[chosen], self.store_attributes)

    def evenly_spaced(self, count: int) -> "Images":
        """Return `count` images evenly spaced over the split, or all of a smaller one.

        They are then of every class also where the split is sorted.
        """
        count = min(count, len(self))
        return self.part(torch.arange(count) * len(self) // count)

    def on(self, store: Tensor) -> "Images":
        """Return the same split with the pixels of another store, of the same images."""
        return Images(store, self.store_labels, self.rows, self.store_attributes)

    def with_attributes(self, attributes: Tensor) -> "Images":
        """Return the same split with the (M, A) bool attributes of all images of its store."""
        return Images(self.store, self.store_labels, self.rows, attributes)


class Source(NamedTuple):
    """The splits that a data set itself provides, and what is known of them.

    Attributes:
        train: training images, from which missing splits are taken.
        val: official validation split; None if there is none.
        test: official test split; None if there is none.
        class_names: names of the classes by class number; empty without labels.
        names: names of all images of the splits' store, as in the data set; empty if they have
            none.
        left_out: number of files that were not read, by the reason.
        notes: sentences on what may surprise.
    """

    train: Images
    val: Images | None
    test: Images | None
    class_names: list[str]
    names: Sequence[str] = ()
    left_out: Mapping[str, int] = {}
    notes: Sequence[str] = ()

"""The data module of images that are in memory already, or in a file of arrays."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reslag_vae._runtime.errors import printable
from reslag_vae._runtime.files import write_atomically
from reslag_vae._runtime.images import as_images
from reslag_vae.data.arrays_file import read_file
from reslag_vae.data.base import ImageDataModule
from reslag_vae.data.checks import BLACK
from reslag_vae.data.errors import DataError
from reslag_vae.data.images import Images, Source
from reslag_vae.data.labels import labels_of, numbered

# Images of more bytes are not kept in the folder of a run.
MOST_KEPT = 1 << 30

# Fewer do not fill train, val and test.
FEWEST = 3

# Numbers that are converted at a time: in float64 they take eight times the memory of their bytes.
AT_ONCE = 1 << 22

ROUNDED = "floating point was rounded to 256 levels"


class Arrays(ImageDataModule):
    """Images of one size in memory, held as uint8: of an array, or of a file of arrays.

    They are checked once, when the module is made. A tenth is the test split.

    Args:
        images: (N, C, H, W), (N, H, W, C) or (N, H, W) images, with one channel or three: a tensor
            or an array of whole numbers in 0..255, of floating point in [0, 1] or of bool, or a
            list of pictures. None reads them from `folder`.
        labels: (N,) class numbers, or names; None if there are none, or takes those of the file.
        validation: images of the validation split, or a pair of images and labels; None takes that
            of the file, or a part of train.
        folder: file of the images if none are given: `.npy` with images, or `.npz` with `images`
            and, if there are any, `labels`; how many of the last images are the validation split,
            in `validation`; and the names of numbered classes in order, in `class_names`.
        root: folder of all data sets, in which evaluations keep what they may need again.
        batch_size: number of images in a minibatch, in every split.
        val_fraction: part of train that is taken for validation, in (0, 1).
        seed: seed of the validation split and of the order of the training batches.
        passes: number of passes over the training images in an epoch; None for one.

    Raises:
        DataError: they are no such images, the labels do not belong to them, or the file is
            missing or damaged.
        ValueError: another argument is out of its range.
    """

    name = "arrays"
    needs_root = False

    def __init__(
        self,
        images: Any = None,
        labels: Any = None,
        validation: Any = None,
        folder: str | Path | None = None,
        root: str | Path = "data",
        batch_size: int = 32,
        val_fraction: float = 0.05,
        seed: int = 0,
        passes: int | None = None,
    ) -> None:
        super().__init__(root, batch_size, val_fraction, seed, passes)
        self.notes: list[str] = []
        self.given = images is not None
        own = {"images": images} if images is not None else read_file(folder)
        if labels is not None:
            own = {name: own[name] for name in ("images", "validation") if name in own}
            own["labels"] = labels
        store = self._checked(own["images"], "images")
        given = [labels_of(own.get("labels"), len(store))]
        self.held_out = int(own.get("validation", 0))
        if validation is not None:
            if self.held_out:
                raise DataError("validation: the file of the images has a split of its own.")
            pair = validation if isinstance(validation, tuple) else (validation, None)
            others = self._checked(pair[0], "validation", tuple(store.shape[1:]))
            given.append(labels_of(pair[1], len(others), "validation"))
            store, self.held_out = torch.cat([store, others]), len(others)
        refuse_black(store)
        self.store = store
        self.store_labels, self.classes = numbered(given, own.get("class_names"))
        _, channels, height, width = store.shape
        self.image_shape = (channels, height, width)

    @property
    def binary(self) -> bool:
        return bool(((self.store == 0) | (self.store == 255)).all())

    def read(self) -> Source:
        images = Images(self.store, self.store_labels)
        first = len(images) - self.held_out
        if first < FEWEST - (self.held_out > 0):
            raise DataError(f"images: {first} of them cannot fill train, val and test.")
        rows = torch.arange(len(images))
        val = images.part(rows[first:]) if self.held_out else None
        return Source(images.part(rows[:first]), val, None, self.classes, notes=self.notes)

    @property
    def is_kept(self) -> bool:
        """Whether a run keeps the images: those that were given in Python, unless too many."""
        return self.given and self.store.nbytes <= MOST_KEPT

    def check_place(self, path: Path) -> None:
        if self.is_kept and path.exists() and not self.equals(Arrays(folder=path)):
            raise DataError(
                f"{printable(str(path))} is in the way: it holds other images; choose another "
                "folder, or move it away."
            )

    def equals(self, other: "Arrays") -> bool:
        """Return whether other arrays are the same images, labels and validation split."""
        return (
            torch.equal(self.store, other.store)
            and torch.equal(self.store_labels, other.store_labels)
            and (self.classes, self.held_out) == (other.classes, other.held_out)
        )

    def keep(self, path: Path) -> None:
        """Write images that were given in Python to a file, unless they are too many.

        Args:
            path: path of the file, `.npz`.
        """
        if not self.is_kept or path.exists():
            return
        content: dict[str, Any] = {
            "images": self.store.contiguous().numpy(),
            "labels": self.store_labels.numpy(),
            "class_names": np.array(self.classes, dtype=np.str_),
            "validation": np.array(self.held_out),
        }
        file = io.BytesIO()
        np.savez(file, **content)
        write_atomically(path, file.getbuffer())

    def _checked(self, given: Any, name: str, shape: tuple[int, ...] | None = None) -> Tensor:
        """Return (N, C, H, W) uint8 images, and note what was done to them.

        Args:
            given: images as a user gives them.
            name: name of the argument.
            shape: (C, H, W) that they must have; None for any.

        Raises:
            DataError: they are no images, or of another shape.
        """
        try:
            images = as_images(channels_first(given))
        except ValueError as error:
            raise DataError(str(error).replace("images:", f"{name}:", 1)) from None
        if images.shape[1] not in (1, 3):
            raise DataError(
                f"{name}: images of 1 or 3 channels are wanted, (N, C, H, W), and these are "
                f"{tuple(images.shape)}."
            )
        if shape is not None and tuple(images.shape[1:]) != shape:
            raise DataError(
                f"{name}: images of {shape} are wanted, as in training, and these are of "
                f"{tuple(images.shape[1:])}."
            )
        if images.is_floating_point() and ROUNDED not in self.notes:
            self.notes.append(ROUNDED)
        return as_bytes(images)


def channels_first(given: Any) -> Any:
    """Return arrays of (N, H, W) and (N, H, W, C) images as (N, C, H, W), and others as they are.

    Raises:
        ValueError: an array has another number of dimensions, or none of its images, or is one
            picture (H, W, C).
    """
    if not isinstance(given, Tensor | np.ndarray):
        return given
    shape = tuple(given.shape)
    if len(shape) not in (3, 4) or 0 in shape:
        raise ValueError(
            "images: (N, C, H, W), (N, H, W, C) or (N, H, W) are wanted, and these are "
            f"{shape}{', which holds none' if 0 in shape else ''}."
        )
    if len(shape) == 3 and shape[2] in (1, 3, 4) and shape[2] < shape[1]:
        raise ValueError(
            f"images: several are wanted, and these are {shape}, as one picture (H, W, C) is."
        )
    if len(shape) == 3:
        return given[:, None]
    if shape[1] not in (1, 3) and shape[3] in (1, 3):
        return given.permute(0, 3, 1, 2) if isinstance(given, Tensor) else np.moveaxis(given, 3, 1)
    return given


def as_bytes(images: Tensor) -> Tensor:
    """Return a copy of (N, C, H, W) images in uint8 or floating point in [0, 1] as uint8.

    It lies on the CPU, channels last in memory, as splits hold their images.
    """
    found = torch.empty(
        images.shape, dtype=torch.uint8, device="cpu", memory_format=torch.channels_last
    )
    count = max(1, AT_ONCE * len(images) // images.numel())
    parts = torch.split(found, count), torch.split(images.detach(), count)
    for place, part in zip(*parts, strict=True):
        own = part.cpu()
        place.copy_(
            own if own.dtype == torch.uint8 else (own.double() * 255).round_().clamp_(0, 255)
        )
    return found


def refuse_black(images: Tensor) -> None:
    """Refuse images in which there is next to nothing to see.

    Raises:
        DataError: their values are on another scale than 0..255, or they are all the same.
    """
    lightest = int(images.max())
    if lightest <= BLACK:
        raise DataError(
            f"images: they are black, none has a value above {lightest} of 255; give whole numbers "
            "in 0..255, or floating point in [0, 1]."
        )
    if (images == images[:, :, :1, :1]).all():
        raise DataError(f"images: all {len(images)} are of one colour each.")

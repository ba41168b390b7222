"""The pictures that a person gives: a folder, an array, a data set or a loader."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from reslag_vae._runtime.errors import ConfigError, printable
from reslag_vae._runtime.images import as_images, unlike
from reslag_vae.data import DataError, Images
from reslag_vae.data.arrays import as_bytes, channels_first
from reslag_vae.data.labels import as_array

# Names of what a data set's items hold, in the order in which they are looked for.
IMAGE_NAMES = ("image", "images", "img", "pixel_values", "x")
LABEL_NAMES = ("label", "labels", "y", "target")

READ_ONCE = (
    "can be read only once, and may have no end: give an array, a list, a Dataset with a length, "
    "or a DataLoader of one"
)
HELD = "an array or tensor (N, C, H, W), a list of pictures, a Dataset or a DataLoader is wanted"
WANTED = {
    "pictures": f"a folder, {HELD}",
    "validation": f"a part of train, as 0.1, or images in memory, {HELD}",
}


class Given(NamedTuple):
    """Images in memory, and their labels.

    Attributes:
        images: what holds the images; uint8 where they were read one by one.
        labels: label of each image; None if there are none.
    """

    images: Any
    labels: Any


def as_path(pictures: Any) -> Path | None:
    """Return the path of a folder or file of pictures; None if something else is given.

    Raises:
        ConfigError: there is nothing of this name, or the name is empty.
    """
    if not isinstance(pictures, str | os.PathLike):
        return None
    if not os.fspath(pictures):
        raise ConfigError("pictures='': name a folder; that one is '.' in which Python is run.")
    path = Path(os.fspath(pictures)).expanduser()
    if not os.path.exists(path):
        raise ConfigError(
            f"pictures={printable(str(path))}: there is no such folder, seen from {Path.cwd()}."
        )
    if path.is_file() and path.suffix not in (".npy", ".npz"):
        raise ConfigError(
            f"pictures={printable(str(path))}: is a file; give the folder of the pictures, or a "
            "file of arrays, .npy or .npz."
        )
    return path.absolute()


def gathered(pictures: Any, name: str = "pictures") -> Given:
    """Return the images, and the labels, that something in memory holds.

    A Dataset or DataLoader is read once: what is random in it is drawn once.

    Args:
        pictures: what a person gives.
        name: name of the argument, `pictures` or `validation`.

    Raises:
        ConfigError: it is nothing that holds pictures.
        DataError: an image of a data set cannot be one.
    """
    if isinstance(pictures, DataLoader):
        if isinstance(pictures.dataset, IterableDataset):
            raise ConfigError(f"{name}: a DataLoader of an IterableDataset {READ_ONCE}.")
        # Without a batch size a loader gives the items of its data set as they are.
        dimensions = (3, 4) if pictures.batch_sampler is not None else (2, 3, 4)
        return joined(as_pairs(pictures, name, dimensions), name)
    if isinstance(pictures, Tensor | np.ndarray):
        return Given(pictures, None)
    if isinstance(pictures, Iterator | IterableDataset):
        raise ConfigError(f"{name}: {type(pictures).__name__} {READ_ONCE}.")
    if isinstance(pictures, Images):
        labels = pictures.labels
        return Given(pictures.images, labels if (labels >= 0).any() else None)
    listed = hasattr(pictures, "__getitem__") and hasattr(pictures, "__len__")
    if listed and not isinstance(pictures, str):
        if isinstance(pictures, tuple | Mapping):
            raise ConfigError(
                f"{name}: {WANTED[name]}, and this is a {type(pictures).__name__}; labels go into "
                "labels=."
            )
        items = (pictures[index] for index in range(len(pictures)))
        return joined(as_pairs(items, name, (2, 3)), name)
    raise ConfigError(f"{name}: {WANTED[name]}, and this is {type(pictures).__name__}.")


def as_pairs(
    items: Iterable[Any], name: str, dimensions: tuple[int, ...]
) -> Iterator[tuple[Any, list[Any] | None]]:
    """Yield arrays of images, or pictures, and their labels; None where they have none.

    Args:
        items: items of a data set, or batches of a loader.
        name: name of the argument, for the messages.
        dimensions: numbers of dimensions that the images of an item may have: 2 where it may be
            one grey image, and one of 3 is then one image, too; else it is several grey ones.

    Raises:
        ConfigError: an item is nothing that holds images.
    """
    for item in items:
        image, label = item, None
        if isinstance(item, Mapping):
            image = next((item[own] for own in IMAGE_NAMES if own in item), None)
            label = next((item[own] for own in LABEL_NAMES if own in item), None)
        elif isinstance(item, list | tuple) and len(item) > 0:
            image, label = item[0], item[1] if len(item) > 1 else None
        dims = getattr(image, "ndim", None)
        picture = type(image).__module__.startswith("PIL.")
        if not (picture and 2 in dimensions) and dims not in dimensions:
            what = "item of a Dataset" if 4 not in dimensions else "batch of a DataLoader"
            raise ConfigError(
                f"{name}: each {what} must be images, a pair of images and labels, or a dict with "
                f"`image`, and this is {shape_of(item)}."
            )
        alone = picture or dims == 2 or (dims == 3 and 2 in dimensions)
        count = 1 if alone else len(image)
        yield image[None] if alone and not picture else image, labels_of(label, count)


def joined(pairs: Iterable[tuple[Any, list[Any] | None]], name: str) -> Given:
    """Return all images as one uint8 tensor, and their labels.

    Raises:
        DataError: there are none, they are of several sizes, or one cannot be an image.
    """
    images: list[Tensor] = []
    labels: list[Any] = []
    for given, own in pairs:
        try:
            images.append(as_bytes(as_images(channels_first(given))))
        except ValueError as error:
            raise DataError(
                f"{str(error).replace('images:', f'{name}:', 1)} (Where the data set normalises "
                "its images, leave that out.)"
            ) from None
        labels += [None] * len(images[-1]) if own is None else own
    if not images:
        raise DataError(f"{name}: they hold no image.")
    shapes = {tuple(own.shape[1:]) for own in images}
    if len(shapes) > 1:
        raise DataError(f"{name}: {unlike(shapes)}")
    known = all(label is not None for label in labels)
    return Given(torch.cat(images), np.asarray(labels) if known else None)


def labels_of(label: Any, count: int) -> list[Any] | None:
    """Return the class number or name of each image, of what is beside them.

    None if that is something else, such as attributes, of which an image has several.

    Args:
        label: what is beside the images.
        count: number of the images.
    """
    if label is None:
        return None
    try:
        own = as_array(label)
    except ValueError:  # lists of several lengths
        return None
    return list(own.reshape(-1)) if own.dtype.kind in "iubU" and own.size == count else None


def shape_of(item: Any) -> str:
    """Return the kind of an object in words, with its shape or its parts."""
    if isinstance(item, Mapping):
        return f"a dict with {', '.join(map(str, item)) or 'nothing'}"
    if isinstance(item, list | tuple):
        return f"a {type(item).__name__} of {', '.join(type(own).__name__ for own in item)}"
    if isinstance(item, Tensor | np.ndarray):
        return f"a {type(item).__name__} of {tuple(item.shape)}"
    return f"a {type(item).__name__}"

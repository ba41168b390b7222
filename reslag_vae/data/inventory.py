"""The inventory of a data set, in words and as digests that change with any of its images."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reslag_vae.data.images import Images, Source

# Bytes of the digest of an image: among a million images two different ones agree once in 10^26
# times.
DIGEST_BYTES = 16
SHOWN_CLASSES = 10
SHOWN_COPIES = 5


class Inventory(NamedTuple):
    """What the splits of a data set hold.

    Attributes:
        images: number of images by split.
        classes: names of the classes; empty without labels.
        pixel_range: smallest and largest value of all images, in 0..255.
        left_out: number of files that were not read, by the reason.
        notes: sentences on what may surprise.
        digests: hexadecimal digest of each split: of its images' names, pixels and classes in
            their order.
    """

    images: dict[str, int]
    classes: list[str]
    pixel_range: tuple[int, int]
    left_out: dict[str, int]
    notes: list[str]
    digests: dict[str, str]

    def line(self) -> str:
        """Return the inventory in one line, without the notes and the digests."""
        counts = " / ".join(f"{count:,} {split}" for split, count in self.images.items())
        parts = [f"{counts} images", self._classes(), "pixels {} to {}".format(*self.pixel_range)]
        if self.left_out:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.left_out.items())
            parts.append(f"{sum(self.left_out.values()):,} files left out: {reasons}")
        return "; ".join(parts)

    def _classes(self) -> str:
        """Return the number of classes and the first of their names, as text."""
        if not self.classes:
            return "no classes"
        more = len(self.classes) - SHOWN_CLASSES
        names = ", ".join(self.classes[:SHOWN_CLASSES])
        others = f" and {more} more" if more > 0 else ""
        return f"{len(self.classes)} classes: {names}{others}"

    def as_dict(self) -> dict[str, Any]:
        """Return the inventory as plain containers, for JSON."""
        return self._asdict() | {"pixel_range": list(self.pixel_range)}


def take_inventory(
    splits: Mapping[str, Images],
    source: Source,
    digests_of: Callable[[Tensor], NDArray[np.void]],
    notes: Sequence[str],
) -> Inventory:
    """Return the inventory of a data set.

    Args:
        splits: splits by name, in the order train, val, test.
        source: source that they were made of.
        digests_of: function from the (M, C, H, W) images of a store to their (M,) digests.
        notes: notes that come before those of the source.
    """
    stores = {images.store: None for images in splits.values()}
    hashed = {store: digests_of(store) for store in stores}
    digests = {name: hashed[images.store] for name, images in splits.items()}
    names = source.names
    return Inventory(
        images={name: len(images) for name, images in splits.items()},
        classes=source.class_names,
        pixel_range=pixel_range(list(stores)),
        left_out=dict(source.left_out),
        notes=[*notes, *source.notes, *copies(splits, digests, names)],
        digests={
            name: split_digest(images, digests[name], names) for name, images in splits.items()
        },
    )


def image_digests(store: Tensor) -> NDArray[np.void]:
    """Return (M,) digests of the pixels of (M, C, H, W) uint8 images."""
    rows = store.permute(0, 2, 3, 1).contiguous().numpy().reshape(len(store), -1)
    digests = b"".join(blake2b(row.data, digest_size=DIGEST_BYTES).digest() for row in rows)
    return np.frombuffer(digests, dtype=np.dtype((np.void, DIGEST_BYTES)))


def split_digest(images: Images, digests: NDArray[np.void], names: Sequence[str]) -> str:
    """Return the hexadecimal digest of a split.

    Args:
        images: images of the split.
        digests: (M,) digests of all images of its store.
        names: names of all images of its store; empty if they have none.
    """
    total = sha256(digests[images.rows.numpy()].tobytes())
    total.update(images.labels.numpy().tobytes())
    for row in images.rows.tolist() if names else ():
        total.update(f"{names[row]}\0".encode(errors="surrogateescape"))
    return total.hexdigest()


def copies(
    splits: Mapping[str, Images], digests: Mapping[str, NDArray[np.void]], names: Sequence[str]
) -> list[str]:
    """Return sentences on images of a split that are, pixel by pixel, in an earlier one, too.

    Args:
        splits: splits by name, in the order train, val, test.
        digests: (M,) digests of all images of the split's store, by split.
        names: names of all images of the store; empty if they have none.
    """
    sentences = []
    seen: dict[bytes, tuple[str, int]] = {}
    for split, images in splits.items():
        rows = images.rows.tolist()
        own = [digest.tobytes() for digest in digests[split][images.rows.numpy()]]
        found = [
            (row, seen[digest]) for row, digest in zip(rows, own, strict=True) if digest in seen
        ]
        if found:
            others = " and ".join(sorted({other for _, (other, _) in found}))
            listing = ""
            if names:
                shown = found[:SHOWN_COPIES]
                pairs = [f"{names[row]} = {names[twin]}" for row, (_, twin) in shown]
                more = ", ..." if len(found) > len(pairs) else ""
                listing = f": {', '.join(pairs)}{more}"
            sentences.append(
                f"{len(found):,} images of {split} are copies of images of {others}{listing}"
            )
        seen |= {
            digest: (split, row)
            for digest, row in zip(own, rows, strict=True)
            if digest not in seen
        }
    return sentences


def pixel_range(stores: Sequence[Tensor]) -> tuple[int, int]:
    """Return the smallest and the largest value of all images in some stores."""
    extremes = [torch.aminmax(store) for store in stores]
    return min(int(low) for low, _ in extremes), max(int(high) for _, high in extremes)

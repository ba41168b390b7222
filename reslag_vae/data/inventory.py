"""What a data set holds, in words and as digests that change with any of its images."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reslag_vae.data.images import Images

# Bytes of the digest of an image: among a million images two different ones agree once in 10^26
# times.
DIGEST_BYTES = 16
SHOWN_CLASSES = 10
SHOWN_COPIES = 5


class Inventory(NamedTuple):
    """What the splits of a data set hold.

    Attributes:
        images: how many, by split.
        classes: their names; empty without labels.
        pixel_range: the smallest and the largest value of all images, in 0..255.
        left_out: how many files were not read, by the reason.
        notes: sentences on what may surprise.
        digests: by split, of its images' names, pixels and classes in their order; hexadecimal.
    """

    images: dict[str, int]
    classes: list[str]
    pixel_range: tuple[int, int]
    left_out: dict[str, int]
    notes: list[str]
    digests: dict[str, str]

    def line(self) -> str:
        """All but the notes and the digests, in one line."""
        counts = " / ".join(f"{count:,} {split}" for split, count in self.images.items())
        parts = [f"{counts} images", self._classes(), "pixels {} to {}".format(*self.pixel_range)]
        if self.left_out:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.left_out.items())
            parts.append(f"{sum(self.left_out.values()):,} files left out: {reasons}")
        return "; ".join(parts)

    def _classes(self) -> str:
        if not self.classes:
            return "no classes"
        more = len(self.classes) - SHOWN_CLASSES
        names = ", ".join(self.classes[:SHOWN_CLASSES]) + (f" and {more} more" if more > 0 else "")
        return f"{len(self.classes)} classes: {names}"

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, for JSON."""
        return self._asdict() | {"pixel_range": list(self.pixel_range)}


def image_digests(store: Tensor) -> NDArray[np.void]:
    """(M,) digests of the pixels of (M, C, H, W) uint8 images."""
    rows = store.permute(0, 2, 3, 1).contiguous().numpy().reshape(len(store), -1)
    digests = b"".join(blake2b(row.data, digest_size=DIGEST_BYTES).digest() for row in rows)
    return np.frombuffer(digests, dtype=np.dtype((np.void, DIGEST_BYTES)))


def split_digest(images: Images, digests: NDArray[np.void], names: Sequence[str]) -> str:
    """The digest of a split.

    Args:
        images: of the split.
        digests: (M,) of all images of its store.
        names: of all images of its store; empty where they have none.
    """
    total = sha256(digests[images.rows.numpy()].tobytes())
    total.update(images.labels.numpy().tobytes())
    for row in images.rows.tolist() if names else ():
        total.update(f"{names[row]}\0".encode(errors="surrogateescape"))
    return total.hexdigest()


def copies(
    splits: Mapping[str, Images], digests: Mapping[str, NDArray[np.void]], names: Sequence[str]
) -> list[str]:
    """Sentences on images of val and test that are in another split, too, pixel by pixel.

    Args:
        splits: by name, in the order train, val, test.
        digests: by split, (M,) of all images of its store.
        names: of all images of the store; empty where they have none.
    """
    sentences = []
    seen: dict[bytes, tuple[str, int]] = {}
    for split, images in splits.items():
        rows = images.rows.tolist()
        own = [digest.tobytes() for digest in digests[split][images.rows.numpy()]]
        found = [
            (row, seen[digest]) for row, digest in zip(rows, own, strict=True) if digest in seen
        ]
        others = sorted({other for _, (other, _) in found})
        if found:
            pairs = (
                [f"{names[row]} = {names[twin]}" for row, (_, twin) in found[:SHOWN_COPIES]]
                if names
                else []
            )
            listing = (
                f": {', '.join(pairs)}{', ...' if len(found) > len(pairs) else ''}" if pairs else ""
            )
            sentences.append(
                f"{len(found):,} images of {split} are copies of images of {' and '.join(others)}{listing}"
            )
        seen |= {
            digest: (split, row)
            for digest, row in zip(own, rows, strict=True)
            if digest not in seen
        }
    return sentences


def pixel_range(stores: Sequence[Tensor]) -> tuple[int, int]:
    """The smallest and the largest value of all images."""
    extremes = [torch.aminmax(store) for store in stores]
    return min(int(low) for low, _ in extremes), max(int(high) for _, high in extremes)

"""A small data set in CelebA's layout, with random pictures and attributes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def write_faces(root: Path, attributes: Sequence[str]) -> None:
    """Write 30 pictures of 16 x 16 and their attributes below a root of data sets."""
    folder = root / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    stream, lines = np.random.default_rng(0), ["30", " ".join(attributes)]
    for number in range(1, 31):
        pixels = stream.integers(256, size=(16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06d}.png")
        has = ["1" if own else "-1" for own in stream.integers(2, size=len(attributes))]
        lines.append(" ".join([f"{number:06d}.jpg", *has]))
    (folder.parent / "list_attr_celeba.txt").write_text("\n".join(lines))

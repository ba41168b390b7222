"""CelebA's lists of numbers per picture: the official text files, and the csv files of Kaggle."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reslag_vae.data.errors import damaged

# https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html: the last number of train, of val and of test.
LAST_NUMBERS = (162_770, 182_637, 202_599)


def find_list(folder: Path, stem: str) -> Path | None:
    """The list of that name, official or Kaggle's, or None."""
    return next((path for suffix in (".txt", ".csv") if (path := folder / f"{stem}{suffix}").exists()), None)


def read_list(path: Path, pictures: Sequence[str]) -> tuple[list[str], Tensor]:
    """Column names, and (N, columns) int64, the numbers of the named pictures in their order.

    Lines before the first picture are the head, whose last one names the columns; the list of the partition
    has no head. The list may name other pictures, too.

    Raises:
        DataError: no line, or an unreadable one, for a picture.
    """
    lines = [line.replace(",", " ").split() for line in path.read_text().splitlines()]
    rows = {line[0]: line[1:] for line in lines if line and line[0].endswith((".jpg", ".png"))}
    head = [line for line in lines[:2] if line and line[0] not in rows]
    for name in pictures:
        if name not in rows:
            raise damaged(path, f"it has no line for {name}")
    try:
        values = np.array([rows[name] for name in pictures]).astype(np.int64)
    except ValueError as reason:
        raise damaged(path, str(reason)) from None
    columns = [name for name in head[-1] if name != "image_id"] if head else []
    return columns, torch.from_numpy(values)


def official_parts(pictures: Sequence[str]) -> Tensor:
    """(N,) int64: 0 for train, 1 for val, 2 for test, by the number in the name; no number means train."""
    numbers = [int(stem) if (stem := Path(name).stem).isdecimal() else 0 for name in pictures]
    return torch.bucketize(torch.tensor(numbers), torch.tensor(LAST_NUMBERS[:2]))

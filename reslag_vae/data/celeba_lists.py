"""The reading of CelebA's lists of numbers per picture, official ones and Kaggle's."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reslag_vae._runtime.errors import printable
from reslag_vae.data.errors import DataError, damaged, refuse_special

# The numbers of the last pictures of train, val and test:
# https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html.
LAST_NUMBERS = (162_770, 182_637, 202_599)

# How the names of pictures in the lists end.
NAMES = (".jpg", ".jpeg", ".png")


def find_list(folder: Path, stem: str) -> Path | None:
    """Return the path of a list, official or Kaggle's, or None if there is none.

    Args:
        folder: folder of the lists.
        stem: name of the list without its suffix.
    """
    places = (folder / f"{stem}.txt", folder / f"{stem}.csv")
    return next((path for path in places if path.exists()), None)


def read_list(path: Path, pictures: Sequence[str]) -> tuple[list[str], Tensor]:
    """Return the columns of a list of numbers per picture.

    Pictures are found by their names without the suffix: they may be kept as .png where the list
    says .jpg. Lines before the first picture are the head, whose last one names the columns; the
    list of the partition has no head. The list may name other pictures, too.

    Args:
        path: path of the list.
        pictures: names of the N pictures.

    Returns:
        The names of the columns, and (N, columns) int64 numbers in the order of the pictures.

    Raises:
        DataError: the list cannot be read, or lacks a picture.
    """
    refuse_special(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as reason:
        raise damaged(path, str(reason)) from None
    lines = [line.replace(",", " ").split() for line in text.splitlines()]
    named = [line for line in lines if line and line[0].lower().endswith(NAMES)]
    rows = {stem_of(line[0]): line[1:] for line in named}
    head = [line for line in lines[:2] if line and stem_of(line[0]) not in rows]
    missing = [name for name in pictures if stem_of(name) not in rows]
    if missing:
        raise DataError(
            f"{path} has no line for {len(missing):,} of {len(pictures):,} pictures, the first "
            f"being {printable(missing[0])}: it is another list or a part of one, or these "
            "pictures are none of CelebA's."
        )
    try:
        values = np.array([rows[stem_of(name)] for name in pictures]).astype(np.int64)
    except ValueError as reason:
        raise damaged(path, str(reason)) from None
    columns = [name for name in head[-1] if name != "image_id"] if head else []
    if columns and len(set(columns)) != values.shape[1]:
        raise damaged(path, f"its head has {len(set(columns))} names for {values.shape[1]} columns")
    return columns, torch.from_numpy(values)


def read_parts(path: Path, pictures: Sequence[str]) -> Tensor:
    """Return the splits of pictures as the official list says.

    Args:
        path: path of the list.
        pictures: names of the N pictures.

    Returns:
        (N,) int64: 0 for train, 1 for val, 2 for test.

    Raises:
        DataError: the list cannot be read, lacks a picture, or has another number.
    """
    values = read_list(path, pictures)[1]
    if (
        values.ndim != 2
        or values.shape[1] != 1
        or not 0 <= int(values.min()) <= int(values.max()) <= 2
    ):
        raise damaged(path, "its lines are not a picture and 0 for train, 1 for val or 2 for test")
    return values[:, 0]


def refuse_duplicates(pictures: Sequence[str]) -> None:
    """Refuse two pictures of one number, as after an archive was unpacked twice.

    Raises:
        DataError: a number is there twice. The message names the first such.
    """
    seen: dict[str, str] = {}
    for name in pictures:
        other = seen.setdefault(stem_of(name), name)
        if other is not name:
            raise DataError(
                f"CelebA's {printable(stem_of(name))} is there twice: remove one of its two files."
            )


def stem_of(name: str) -> str:
    """Return a picture's name without its suffix."""
    return name.rpartition(".")[0] or name


def official_parts(pictures: Sequence[str]) -> Tensor:
    """Return the official splits of pictures by the numbers in their names.

    Args:
        pictures: names of the N pictures. One without a number belongs to train.

    Returns:
        (N,) int64: 0 for train, 1 for val, 2 for test.
    """
    # No number of CelebA's has more digits than these.
    numbers = [int(stem[-9:]) if (stem := Path(name).stem).isdecimal() else 0 for name in pictures]
    return torch.bucketize(torch.tensor(numbers), torch.tensor(LAST_NUMBERS[:2]))

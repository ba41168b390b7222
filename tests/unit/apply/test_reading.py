"""Pictures in batches: in order, one batch ahead, failures told by their file."""

from pathlib import Path

import numpy as np
import torch

from reslag_vae.apply.reading import read_batches
from reslag_vae.data.pictures import Picture

FILES = [Path(str(number)) for number in range(10)]


def decode(path: Path) -> Picture:
    """An image of the grey value that the file is named by; numbers 4, 6 and 7 are damaged."""
    if path.name in ("4", "6", "7"):
        raise OSError(f"{path} is damaged\nand more")
    return Picture(np.full((2, 2, 1), 25 * int(path.name), dtype=np.uint8))


def test_they_come_in_order_without_those_that_fail() -> None:
    batches = list(read_batches(FILES, decode, 3))
    assert [batch.positions for batch in batches] == [[0, 1, 2], [3, 5], [8], [9]]
    assert [list(batch.failures) for batch in batches] == [[], [4], [6, 7], []]
    assert batches[1].failures == {4: "4 is damaged"}
    images = batches[1].images
    assert images is not None
    assert images.shape == (2, 1, 2, 2)
    assert images[:, 0, 0, 0].tolist() == [75, 125]


def test_a_batch_without_a_picture_has_no_images() -> None:
    batches = list(read_batches(FILES[6:8], decode, 2))
    assert [batch.images for batch in batches] == [None]


def test_no_more_than_the_next_batch_is_read_ahead() -> None:
    started: list[str] = []

    def noted(path: Path) -> Picture:
        started.append(path.name)
        return decode(path)

    batches = read_batches(FILES, noted, 2)
    next(batches)
    next(batches)
    batches.close()
    assert set(started) <= {str(number) for number in range(6)}


def test_black_and_white() -> None:
    (batch,) = read_batches(FILES[:4] + FILES[5:6] + FILES[8:], decode, 10, binary=True)
    assert batch.images is not None
    assert batch.images[:, 0, 0, 0].tolist() == [0, 0, 0, 0, 0, 255, 255]
    assert batch.images.dtype == torch.uint8

"""Splits: disjoint, complete, seeded."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from reslag_vae.data import DataError, Images
from reslag_vae.data.images import Batch
from reslag_vae.data.sampling import SequentialBatches, ShuffledBatches


def numbered(count: int) -> Images:
    """Images whose label is their row."""
    store = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 1, 2, 2)
    return Images(store, torch.arange(count))


def test_one_index_gives_a_whole_batch() -> None:
    batch = numbered(10)[torch.tensor([7, 3])]
    assert batch.images.shape == (2, 1, 2, 2)
    assert batch.images.dtype == torch.uint8
    assert batch.images[:, 0, 0, 0].tolist() == batch.labels.tolist() == [7, 3]


@pytest.mark.parametrize(
    "index",
    [slice(1, 9, 3), [1, 4, 7], np.array([1, 4, 7]), torch.arange(9) % 3 == 1],
    ids=["slice", "list", "array", "mask"],
)
def test_a_split_is_indexed_as_a_tensor_is(index: Any) -> None:
    images = Images(torch.arange(9 * 12, dtype=torch.uint8).view(9, 3, 2, 2), torch.arange(9))
    found = images[index]
    assert found.labels.tolist() == [1, 4, 7]
    assert torch.equal(found.images, images.images[[1, 4, 7]])


def test_any_loader_makes_batches_of_a_split() -> None:
    images = Images(torch.arange(9 * 12, dtype=torch.uint8).view(9, 3, 2, 2), torch.arange(9))
    assert images[-1].images.shape == (3, 2, 2)
    assert [int(own.labels) for own in images] == list(range(9))  # type: ignore[attr-defined]
    first, *_ = DataLoader(images, batch_size=4)
    assert isinstance(first, Batch)
    assert torch.equal(first.images, images.images[:4])
    assert first.labels.tolist() == [0, 1, 2, 3]


def test_the_channels_of_a_batch_lie_last_and_every_pixel_is_in_its_place() -> None:
    store = torch.randint(256, (9, 3, 4, 5), dtype=torch.uint8)
    images = Images(store, torch.zeros(9, dtype=torch.int64), rows=torch.tensor([8, 2, 5, 0]))
    batch = images[torch.tensor([2, 0, 2])]
    assert torch.equal(batch.images, store[[5, 8, 5]])
    assert batch.images.is_contiguous(memory_format=torch.channels_last)


def test_some_images_are_taken_from_all_over_the_split() -> None:
    images = numbered(40).part(torch.arange(7, 40))
    assert images.evenly_spaced(16).labels.tolist() == [7 + i * 33 // 16 for i in range(16)]
    assert images.evenly_spaced(50).rows.tolist() == images.rows.tolist()


def test_divided_parts_are_disjoint_and_complete_and_the_second_is_mixed() -> None:
    rest, part = numbered(101).divide(0.2, seed=3)
    assert (len(rest), len(part)) == (81, 20)
    assert sorted(rest.labels.tolist() + part.labels.tolist()) == list(range(101))
    assert rest.labels.tolist() == sorted(rest.labels.tolist())
    assert part.labels.tolist() != sorted(part.labels.tolist())
    assert torch.equal(part[torch.arange(20)].images, part.images)


def test_division_depends_on_the_seed_alone() -> None:
    once, again, other = (numbered(100).divide(0.2, seed)[1].labels for seed in (0, 0, 1))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


@pytest.mark.parametrize(("fraction", "size"), [(1e-6, 1), (1 - 1e-6, 2)])
def test_no_part_is_empty(fraction: float, size: int) -> None:
    assert len(numbered(3).divide(fraction, seed=0)[1]) == size


def test_one_image_cannot_be_divided() -> None:
    with pytest.raises(DataError, match="1 image"):
        numbered(1).divide(0.5, seed=0)


def test_divisions_share_the_store() -> None:
    images = numbered(10)
    assert all(part.store is images.store for part in images.divide(0.5, seed=0))


def test_on_a_device_every_index_lies_there_and_splits_still_share_their_store() -> None:
    one, other = numbered(9).divide(0.5, seed=0)
    stores: dict[torch.Tensor, torch.Tensor] = {}
    one, other = (part.to(torch.device("meta"), stores) for part in (one, other))
    assert one.store is other.store
    order = ShuffledBatches(len(one), batch_size=2, seed=0, device=torch.device("meta"))
    for index in (*order, *SequentialBatches(len(one), 2, device=torch.device("meta"))):
        assert (
            index.device
            == one[index].images.device
            == one[index].labels.device
            == torch.device("meta")
        )

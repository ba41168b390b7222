"""Orders are pure functions; processes share the images out."""

import pytest
import torch
from torch import Tensor

from reslag_vae.data.sampling import SequentialBatches, ShuffledBatches


def passed(sampler: ShuffledBatches | SequentialBatches) -> Tensor:
    return torch.cat(list(sampler))


def test_every_image_comes_once_and_the_last_batch_is_kept() -> None:
    batches = list(ShuffledBatches(10, batch_size=4, seed=0))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(torch.cat(batches).tolist()) == list(range(10))


def test_the_same_seed_epoch_and_pass_give_the_same_order() -> None:
    one, two = (ShuffledBatches(100, 8, seed=5) for _ in range(2))
    for epoch in (0, 3):
        one.set_epoch(epoch)
        two.set_epoch(epoch)
        for _ in range(3):
            assert torch.equal(passed(one), passed(two))


def test_other_seeds_epochs_and_passes_give_other_orders() -> None:
    sampler = ShuffledBatches(100, 8, seed=5)
    orders = [passed(ShuffledBatches(100, 8, seed=6))]
    for epoch in range(3):
        sampler.set_epoch(epoch)
        orders += [passed(sampler) for _ in range(3)]
    assert len({tuple(order.tolist()) for order in orders}) == 10


def test_resume_gives_the_order_of_the_uninterrupted_run() -> None:
    uninterrupted, resumed = (ShuffledBatches(100, 8, seed=5) for _ in range(2))
    for epoch in range(3):
        uninterrupted.set_epoch(epoch)
        expected = passed(uninterrupted)
    iterator = iter(resumed)  # Lightning makes the first iterator before it sets the epoch
    resumed.set_epoch(2)
    assert torch.equal(torch.cat(list(iterator)), expected)


def test_a_pass_begun_within_a_pass_differs_and_leaves_it_alone() -> None:
    alone, both = (ShuffledBatches(100, 8, seed=5) for _ in range(2))
    expected = passed(alone)
    outer = iter(both)
    first = next(outer)
    inner = passed(both)
    assert not torch.equal(inner, expected)
    assert torch.equal(torch.cat([first, *outer]), expected)


def test_the_global_random_state_is_untouched() -> None:
    before = torch.get_rng_state()
    passed(ShuffledBatches(100, 8, seed=5))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("length", [24, 25, 26, 29])
def test_processes_divide_each_training_batch_evenly(world_size: int, length: int) -> None:
    whole = list(ShuffledBatches(length, 6, 5))
    samplers = [ShuffledBatches(length, 6, 5, rank, world_size) for rank in range(world_size)]
    shares = [list(sampler) for sampler in samplers]
    assert (
        {len(sampler) for sampler in samplers}
        == {len(share) for share in shares}
        == {len(shares[0])}
    )
    for batch, parts in zip(whole, zip(*shares, strict=True), strict=False):
        assert len({len(part) for part in parts}) == 1
        assert torch.equal(torch.cat(parts), batch[: len(batch) - len(batch) % world_size])
    assert sum(len(part) for share in shares for part in share) == length - length % world_size


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("length", [24, 25, 26])
def test_evaluation_neither_drops_nor_repeats(world_size: int, length: int) -> None:
    samplers = [SequentialBatches(length, 4, rank, world_size) for rank in range(world_size)]
    assert sorted(torch.cat([passed(sampler) for sampler in samplers]).tolist()) == list(
        range(length)
    )
    whole = list(SequentialBatches(length, 4))
    for rank, sampler in enumerate(samplers):
        turns = whole[rank::world_size]
        assert len(sampler) == len(list(sampler)) == len(turns)
        assert all(torch.equal(*pair) for pair in zip(sampler, turns, strict=True))


def test_a_process_without_an_evaluation_batch_has_an_empty_one() -> None:
    sampler = SequentialBatches(7, 4, rank=2, world_size=3)
    assert [len(batch) for batch in sampler] == [0]
    assert len(sampler) == 1


def test_an_epoch_of_several_passes_has_each_image_as_often() -> None:
    sampler = ShuffledBatches(10, 4, seed=5, passes_of_epoch=3)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 9
    once = [torch.cat(batches[first : first + 3]) for first in (0, 3, 6)]
    assert all(sorted(own.tolist()) == list(range(10)) for own in once)
    assert not torch.equal(once[0], once[1])
    alone = ShuffledBatches(10, 4, seed=5)
    assert torch.equal(torch.cat(batches), torch.cat([passed(alone) for _ in range(3)]))

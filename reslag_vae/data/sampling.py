"""Samplers that yield the indices of one whole batch at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler


def shuffled(length: int, seed: int, epoch: int, passing: int) -> Tensor:
    """(length,) int64 permutation, a pure function of its arguments; global random states are left alone."""
    return torch.from_numpy(np.random.default_rng([seed, epoch, passing]).permutation(length))


def _batches(length: int, batch_size: int) -> int:
    return -(-length // batch_size)


class ShuffledBatches(Sampler[Tensor]):
    """Batches of a new random order in each pass over the data; the last one may be smaller.

    The order depends on `seed`, the epoch and the number of passes begun in that epoch, so a resumed run
    sees the batches that an uninterrupted one would. With several processes each gets an equal share of
    the order: up to `world_size - 1` images, others in each pass, are left out. One process leaves out none.

    The indices lie on `device`: the order is copied there once for each pass, not batch by batch.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | None = None,
    ) -> None:
        self.length = length
        self.share = length // world_size
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.device = device
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch: its first pass comes next. Lightning calls this before each epoch."""
        self.epoch = epoch
        self.passes = 0

    def __iter__(self) -> Iterator[Tensor]:
        # A generator draws the order with its first batch: Lightning makes an iterator before set_epoch.
        order = shuffled(self.length, self.seed, self.epoch, self.passes)
        self.passes += 1
        share = order[self.rank : self.share * self.world_size : self.world_size]
        yield from torch.split(share.to(self.device), self.batch_size)

    def __len__(self) -> int:
        return _batches(self.share, self.batch_size)


class SequentialBatches(Sampler[Tensor]):
    """Batches in the order of the data, indices on `device`; over the processes every image comes exactly once."""

    def __init__(
        self, length: int, batch_size: int, rank: int = 0, world_size: int = 1, device: torch.device | None = None
    ) -> None:
        self.order = torch.arange(rank, length, world_size, device=device)
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[Tensor]:
        yield from torch.split(self.order, self.batch_size)

    def __len__(self) -> int:
        return _batches(len(self.order), self.batch_size)

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

    The order depends on `seed`, the epoch and the number of passes begun in that epoch, so a
    resumed run sees the batches that an uninterrupted one would. Several processes divide each
    batch among them, evenly: up to `world_size - 1` images of the last one, others in each pass,
    are left out. One process leaves out none.

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

    def begin_pass(self) -> tuple[int, int, int]:
        """The seed, the epoch and the number of a new pass: all that its random numbers depend on."""
        passing = self.passes
        self.passes += 1
        return self.seed, self.epoch, passing

    def whole(self, key: tuple[int, int, int]) -> Iterator[Tensor]:
        """The batches of a pass, of all processes together."""
        order = shuffled(self.length, *key)
        yield from torch.split(order.to(self.device), self.batch_size)

    def own_part(self, batch: Tensor) -> Tensor:
        """What this process takes of something that all images of a batch have, image by image."""
        share = len(batch) // self.world_size
        return batch[self.rank * share : (self.rank + 1) * share]

    def __iter__(self) -> Iterator[Tensor]:
        # A generator begins its pass with the first batch: Lightning makes an iterator before
        # set_epoch.
        for batch in self.whole(self.begin_pass()):
            positions = self.own_part(batch)
            if len(positions):
                yield positions

    def __len__(self) -> int:
        return _batches(self.length, self.batch_size) - (
            0 < self.length % self.batch_size < self.world_size
        )


class SequentialBatches(Sampler[Tensor]):
    """Batches in the order of the data, indices on `device`; several processes take turns with whole batches."""

    def __init__(
        self,
        length: int,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | None = None,
    ) -> None:
        self.batch_size = batch_size
        order = torch.arange(length, device=device)
        # Where a process has none, it has an empty one: Lightning would leave its evaluation out,
        # and the others wait.
        self.batches = torch.split(order, batch_size)[rank::world_size] or (order[:0],)

    def __iter__(self) -> Iterator[Tensor]:
        yield from self.batches

    def __len__(self) -> int:
        return len(self.batches)

"""Samplers, which yield the indices of one whole batch at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler


def shuffled(length: int, seed: int, epoch: int, passing: int) -> Tensor:
    """Return a (length,) int64 permutation, a pure function of the arguments.

    Global random states are left alone.

    Args:
        length: number of images.
        seed: seed of the run.
        epoch: number of the epoch.
        passing: number of the pass over the data in that epoch.
    """
    return torch.from_numpy(np.random.default_rng([seed, epoch, passing]).permutation(length))


def _batches(length: int, batch_size: int) -> int:
    """Return the number of batches; the last one may be smaller."""
    return -(-length // batch_size)


class ShuffledBatches(Sampler[Tensor]):
    """A sampler of batches in a new random order in each pass; the last batch may be smaller.

    The order depends on `seed`, the epoch and the number of passes begun in that epoch, so a
    resumed run sees the batches that an uninterrupted one would. Several processes divide each
    batch among them, evenly: up to `world_size - 1` images of the last one, others in each pass,
    are left out. One process leaves out none.

    Args:
        length: number of images.
        batch_size: number of images in a batch, of all processes together.
        seed: seed of the orders.
        rank: number of this process, from 0.
        world_size: number of processes.
        device: device of the indices; None for the CPU. The order is copied there once for each
            pass, not batch by batch.
        passes_of_epoch: number of passes that an iterator makes.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | None = None,
        passes_of_epoch: int = 1,
    ) -> None:
        self.length = length
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.device = device
        self.passes_of_epoch = passes_of_epoch
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch, whose first pass comes next; Lightning calls this before each epoch."""
        self.epoch = epoch
        self.passes = 0

    def begin_pass(self) -> tuple[int, int, int]:
        """Begin a pass, and return all that its random numbers depend on.

        Returns:
            Seed, number of the epoch, number of the pass in it.
        """
        passing = self.passes
        self.passes += 1
        return self.seed, self.epoch, passing

    def whole(self, key: tuple[int, int, int]) -> Iterator[Tensor]:
        """Yield the batches of a pass, of all processes together.

        Args:
            key: what `begin_pass` has returned.
        """
        order = shuffled(self.length, *key)
        yield from torch.split(order.to(self.device), self.batch_size)

    def own_part(self, batch: Tensor) -> Tensor:
        """Return the rows of this process.

        Args:
            batch: (B, ...) rows, one for each image of a batch of all processes.
        """
        share = len(batch) // self.world_size
        return batch[self.rank * share : (self.rank + 1) * share]

    def __iter__(self) -> Iterator[Tensor]:
        # A generator begins its pass with the first batch: Lightning makes an iterator before
        # set_epoch.
        for _ in range(self.passes_of_epoch):
            for batch in self.whole(self.begin_pass()):
                positions = self.own_part(batch)
                if len(positions):
                    yield positions

    def __len__(self) -> int:
        last_has_too_few = 0 < self.length % self.batch_size < self.world_size
        of_a_pass = _batches(self.length, self.batch_size) - last_has_too_few
        return self.passes_of_epoch * of_a_pass


class SequentialBatches(Sampler[Tensor]):
    """A sampler of batches in the order of the data, which several processes take in turns.

    Args:
        length: number of images.
        batch_size: number of images in a batch.
        rank: number of this process, from 0.
        world_size: number of processes.
        device: device of the indices; None for the CPU.
    """

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
        # A process without a batch has an empty one: Lightning would leave its evaluation out, and
        # the others would wait.
        self.batches = torch.split(order, batch_size)[rank::world_size] or (order[:0],)

    def __iter__(self) -> Iterator[Tensor]:
        yield from self.batches

    def __len__(self) -> int:
        return len(self.batches)

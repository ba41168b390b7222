"""The steps of training: the updates of a schedule, minibatch by minibatch."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reslag_vae.data.images import Batch
from reslag_vae.training.forward import ForwardPass
from reslag_vae.training.fresh_batches import endless
from reslag_vae.training.schedules import Update

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE


class TrainingSteps:
    """The steps of the schedule on one minibatch, or on several one after the other.

    A step of a fixed schedule touches nothing but tensors, in place, so that a CUDA graph can
    repeat it.

    Args:
        system: system that is trained.

    Attributes:
        names: names of the terms of which a step returns the means, after the first one.
    """

    def __init__(self, system: "BaseVAE") -> None:
        self.system = system
        self.names: tuple[str, ...] = ()
        self.fresh: Iterator[Batch] | None = None

    def begin_epoch(self) -> None:
        """Begin an epoch, whose fresh minibatches have an order of their own."""
        self.fresh = None

    def sizes(self, batch: Batch) -> list[int]:
        """Return the number of images in each minibatch."""
        return [len(minibatch.images) for minibatch in self._minibatches(batch)]

    def _minibatches(self, batch: Batch) -> list[Batch]:
        """Return each of the minibatches that came together."""
        return batch.split(self.system.minibatch_size or len(batch.images))

    def __call__(self, batch: Batch) -> Tensor:
        """Make a step on each minibatch, and return the (n, K) means of its terms.

        Args:
            batch: all minibatches.
        """
        rows: list[Tensor] = []
        for minibatch in self._minibatches(batch):
            means = self._step(minibatch).means
            self.names = means.names
            rows.append(means.values)
            # Lightning ends the run after its own step, which these are many of.
            if self.system.trainer.received_sigterm:
                break
        return torch.stack(rows)

    def _step(self, minibatch: Batch) -> ForwardPass:
        """Make the updates of one step, and return the forward pass of the last one."""
        system = self.system
        updates = system.schedule.updates()
        update = next(updates)
        while True:
            forward = system.update(self._minibatch_of(update, minibatch), update)
            try:
                update = updates.send(forward.losses)
            except StopIteration:
                break
            # The next update may use its memory.
            del forward
        # The last update moves the generative group under every schedule: its terms are the step's.
        if system.model.likelihood.training:
            system.model.likelihood.observe(forward.extras)
        if system.average is not None:
            system.average.update()
        return forward

    def _minibatch_of(self, update: Update, minibatch: Batch) -> Batch:
        """Return the minibatch of an update: the step's own, or the next fresh one."""
        if not update.fresh:
            return minibatch
        system = self.system
        if self.fresh is None:
            loader: Iterable[Batch] = system.trainer.train_dataloader or ()
            self.fresh = endless(loader, system.minibatch_size)
        moved: Batch = system.transfer_batch_to_device(next(self.fresh), system.device, 0)
        return moved

"""The numbers of images that go through the training loop, and through validation, at once."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from lightning import Callback, LightningModule, Trainer

from reslag_vae.data import ImageDataModule
from reslag_vae.objectives import Objective
from reslag_vae.training.lookup import callback_of, callbacks_of

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE

# Minibatches that go through Lightning's loop at once, at most: on two cores it takes a tenth of
# the time of a small network's step, and on a GPU more than the step. Larger ones need no company
# on a CPU.
MOST = {"cpu": 8, "cuda": 32}
MOST_NUMBERS = 1 << 20

# Images that are validated at once.
VALIDATED = 512

# Hooks for which a batch of the loader is a minibatch, and those that are called in each update.
OF_BATCHES = ("on_train_batch_start", "on_train_batch_end")
OF_UPDATES = (
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)


class AtOnce(Callback):
    """A callback by which several minibatches go through a trainer's loops at once.

    A trainer without it takes one after the other.

    Args:
        minibatches: number of those in training; None takes as many as nobody minds.
    """

    def __init__(self, minibatches: int | None = None) -> None:
        self.minibatches = minibatches


def arrange(trainer: Trainer, system: "BaseVAE") -> None:
    """Set how much goes through the loops of a trainer at once, whatever an earlier one has set.

    Args:
        trainer: trainer before its loaders are made. Data that are not this package's keep theirs.
        system: system of the run.
    """
    system.minibatch_size = None
    data, own = getattr(trainer, "datamodule", None), callback_of(trainer, AtOnce)
    if not isinstance(data, ImageDataModule):
        return
    data.at_once, data.validated_at_once = 1, None
    if own is not None:
        data.at_once = own.minibatches or minibatches_at_once(trainer, data, system)
        data.validated_at_once = images_validated_at_once(trainer, data, system.objective)
    if data.at_once > 1:
        system.minibatch_size = data.batch_size


def minibatches_at_once(trainer: Trainer, data: ImageDataModule, system: LightningModule) -> int:
    """Return how many minibatches the training loader gives at once.

    Args:
        trainer: trainer of the run. With several devices, a limit on the number of batches, or a
            callback or a system of the user's own that looks at them, each comes alone; as it does
            where a system has a training step of its own.
        data: data of the run.
        system: system of the run.
    """
    limited = is_limit(trainer.limit_train_batches)
    own_step = not type(system).training_step.__module__.startswith("reslag_vae.")
    if trainer.world_size > 1 or limited or own_step or is_watched(trainer, system, OF_BATCHES):
        return 1
    device = trainer.strategy.root_device.type
    most = MOST.get(device, 1)
    if device == "cpu":
        most = min(most, MOST_NUMBERS // (data.batch_size * prod(data.image_shape)))
    return max(1, most)


def minibatches_of_epoch(trainer: Trainer) -> int:
    """Return the number of minibatches of a training epoch, which may be several in a batch."""
    data = getattr(trainer, "datamodule", None)
    if isinstance(data, ImageDataModule) and data.at_once > 1:
        return data.minibatches
    return int(trainer.num_training_batches)


def images_validated_at_once(trainer: Trainer, data: ImageDataModule, objective: Objective) -> int:
    """Return the size of the batches of validation and test, on which no result depends.

    Args:
        trainer: trainer of the run. A limit on the number of batches is one of minibatches.
        data: data of the run.
        objective: objective of the run. A statistic of the minibatch, as the MMD, is one of the
            minibatches of training.
    """
    if objective.draws_prior or is_limit(trainer.limit_val_batches):
        return data.batch_size
    most = VALIDATED
    if trainer.strategy.root_device.type == "cpu":
        most = min(most, MOST_NUMBERS // prod(data.image_shape))
    return max(data.batch_size, most)


def is_limit(batches: int | float) -> bool:
    """Return whether a limit on batches is one: 1.0 is all of them, and 1 is one."""
    return isinstance(batches, int) or batches != 1.0


def is_watched(trainer: Trainer, system: LightningModule, hooks: Sequence[str]) -> bool:
    """Return whether a system, or a callback that is not this package's, has one of some hooks."""
    watchers: list[Callback | LightningModule] = [system]
    for own in callbacks_of(trainer):
        if not type(own).__module__.startswith("reslag_vae."):
            watchers.append(own)
    return any(has(own, hook) for own in watchers for hook in hooks)


def has(own: Callback | LightningModule, hook: str) -> bool:
    """Return whether a callback or a system has a hook other than Lightning's, which is empty."""
    # Looked up in the callback itself: Lightning's LambdaCallback has its hooks there.
    function = getattr(getattr(own, hook), "__func__", None)
    return function not in (getattr(Callback, hook), getattr(LightningModule, hook))

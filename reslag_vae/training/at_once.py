"""The number of minibatches that go through the training loop at once."""

from math import prod

from lightning import Callback, Trainer

from reslag_vae.data import ImageDataModule
from reslag_vae.training.callbacks.lookup import callbacks_of

# Minibatches that go through Lightning's loop at once, at most: it takes a tenth of the time of a
# small network's step (see benchmarks/results/training). Larger ones need no company.
MOST = 8
MOST_NUMBERS = 1 << 20

# Hooks for which a batch of the loader is a minibatch.
HOOKS = ("on_train_batch_start", "on_train_batch_end")


def at_once(trainer: Trainer, data: ImageDataModule) -> int:
    """Return how many minibatches the training loader gives at once.

    Args:
        trainer: trainer of the run. With several devices, a limit on the number of batches, or a
            callback of the user's own that looks at them, each comes alone.
        data: data of the run.
    """
    counted = trainer.limit_train_batches != 1.0
    watched = any(map(watches, callbacks_of(trainer)))
    if trainer.world_size > 1 or counted or watched:
        return 1
    return max(1, min(MOST, MOST_NUMBERS // (data.batch_size * prod(data.image_shape))))


def watches(callback: Callback) -> bool:
    """Return whether a callback that is not this package's looks at the loader's batches."""
    own = type(callback)
    overridden = any(getattr(own, hook) is not getattr(Callback, hook) for hook in HOOKS)
    return overridden and not own.__module__.startswith("reslag_vae.")

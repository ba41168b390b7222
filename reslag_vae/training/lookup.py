"""Access to the callbacks of a trainer."""

from typing import TypeVar

from lightning import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping

T = TypeVar("T", bound=Callback)


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """Return the trainer's own list of callbacks, in order; what is added to it is called too."""
    # Lightning sets the attribute outside of the trainer's class.
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return callbacks


def callback_of(trainer: Trainer, kind: type[T]) -> T | None:
    """Return the trainer's first callback of a class, or None."""
    return next(
        (callback for callback in callbacks_of(trainer) if isinstance(callback, kind)), None
    )


def sure_epochs(trainer: Trainer) -> int:
    """Return how many epochs a run has at least: until its early stopping, if any, may end it."""
    epochs, stopping = trainer.max_epochs or 0, callback_of(trainer, EarlyStopping)
    return epochs if stopping is None else min(epochs, stopping.patience)

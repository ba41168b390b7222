"""Access to the callbacks of a trainer."""

from typing import TypeVar

from lightning import Callback, Trainer

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

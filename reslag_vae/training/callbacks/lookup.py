"""The callbacks of a trainer."""

from typing import TypeVar

from lightning import Callback, Trainer

T = TypeVar("T", bound=Callback)


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """The list that the trainer goes through, in its order; what is put into it is called too."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set outside of the trainer's class
    return callbacks


def callback_of(trainer: Trainer, kind: type[T]) -> T | None:
    """The trainer's first callback of that kind, or None."""
    return next(
        (callback for callback in callbacks_of(trainer) if isinstance(callback, kind)), None
    )

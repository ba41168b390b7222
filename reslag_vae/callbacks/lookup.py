"""Find a callback of a running trainer."""

from typing import TypeVar

from lightning import Callback, Trainer

T = TypeVar("T", bound=Callback)


def callback_of(trainer: Trainer, kind: type[T]) -> T | None:
    """The trainer's first callback of that kind, or None."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # set outside its __init__
    return next((callback for callback in callbacks if isinstance(callback, kind)), None)

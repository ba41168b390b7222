"""Which parameter groups are updated, in which order, until when. Plain frozen values."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from reslag_vae.options import require

__all__ = ["Joint", "Lagging"]

Group = Literal["inference", "generative"]
Update = tuple[Group, ...]

GROUPS: tuple[Group, ...] = get_args(Group)
Batches = Literal["same", "fresh"]
Until = Literal["epochs", "mutual_information"]


@dataclass(frozen=True)
class Joint:
    """One forward, one backward, both groups step."""

    name: ClassVar[str] = "joint"

    def updates(self, aggressive: bool) -> tuple[Update, ...]:
        """The updates of one training step, in order."""
        return (GROUPS,)


@dataclass(frozen=True)
class Lagging:
    """Aggressive training of the encoder, then joint (He et al. 2019, https://arxiv.org/abs/1901.05534).

    A step of the aggressive phase is `ratio` encoder-only updates followed by one decoder-only
    update.

    Args:
        ratio: encoder updates before each decoder update; at least 1.
        epochs: length of the aggressive phase in epochs, at most (see `until`).
        batches: minibatches of the ratio + 1 updates: the `same` one with fresh noise, or all
            `fresh`.
        until: end after `epochs`, or before that as soon as the validation `mutual_information`
            stops rising. Where the estimate is at its ceiling, as with many latent dimensions, it
            cannot tell and the phase runs on.

    Raises:
        ValueError: an argument is out of its range.
    """

    ratio: int = 5
    epochs: int = 20
    batches: Batches = "same"
    until: Until = "epochs"
    name: ClassVar[str] = "lagging"

    def __post_init__(self) -> None:
        for name in ("ratio", "epochs", "batches", "until"):
            require(f"schedule.{name}", getattr(self, name))

    def check_length(self, max_epochs: int | None) -> None:
        """Refuse a phase that the run (None or -1: without end) would never get out of.

        Raises:
            ValueError: the aggressive phase is longer than the run.
        """
        if max_epochs is not None and 0 <= max_epochs < self.epochs:
            raise ValueError(
                f"schedule.epochs={self.epochs}: the aggressive phase is longer than the run "
                f"(trainer.max_epochs={max_epochs}). Shorten it with schedule.epochs={max_epochs} or less."
            )

    def updates(self, aggressive: bool) -> tuple[Update, ...]:
        """The updates of one training step, in order."""
        return (("inference",),) * self.ratio + (("generative",),) if aggressive else (GROUPS,)


Schedule = Joint | Lagging

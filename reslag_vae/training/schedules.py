"""Schedules, which say which parameter groups are updated, in which order and until when."""

import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

from torch import Tensor

from reslag_vae.models.generative import GROUPS, Group
from reslag_vae.options import require

__all__ = ["Joint", "Lagging"]

Batches = Literal["same", "fresh"]
Until = Literal["epochs", "mutual_information"]

# Share of its ceiling from which an estimate of the mutual information tells nothing any more.
SATURATED = 0.95


class Update(NamedTuple):
    """One forward and backward pass, and a step of some parameter groups; the others are frozen.

    Attributes:
        groups: groups that step.
        fresh: whether the update takes a minibatch of its own, in place of the training step's.
    """

    groups: tuple[Group, ...]
    fresh: bool = False


JOINT = Update(GROUPS)

# A training step's updates, one after the other. Each yield returns that update's (B,) losses.
Updates = Generator[Update, Tensor, None]


class Schedule(ABC):
    """A rule that says which parameter groups each training step updates.

    The last update of every step moves the generative group: its terms are the step's.

    Attributes:
        name: name of the schedule, as in `schedule=<name>` on the command line.
        provides: capabilities that variants may require.
    """

    name: ClassVar[str]
    provides: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def updates(self) -> Updates:
        """Yield the updates of one training step; each yield returns that update's losses."""

    def check_length(self, max_epochs: int | None) -> None:
        """Refuse a run that ends before the schedule does.

        Args:
            max_epochs: number of epochs of the run; None or -1 for a run without end.

        Raises:
            ValueError: the run is too short. The message says how long it must be.
        """

    def begin_epoch(self, epoch: int) -> None:
        """Take note of an epoch before it begins.

        Args:
            epoch: number of the epoch, from 0.
        """

    def end_epoch(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        """Take note of an epoch once it has ended.

        Args:
            epoch: number of the epoch, from 0.
            metrics: metrics of the epoch by name.
        """

    @property
    def phase(self) -> str:
        """The current epoch's kind of training, in a word."""
        return "joint"

    def aggressive_epochs(self, epochs: int) -> int:
        """Return how many of the first `epochs` epochs train the encoder aggressively."""
        return 0

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a checkpoint holds, in plain values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that a checkpoint holds."""


@dataclass
class Joint(Schedule):
    """The schedule of one update for each step, in which both groups step."""

    name: ClassVar[str] = "joint"

    def updates(self) -> Updates:
        yield JOINT


@dataclass
class Lagging(Schedule):
    """The schedule that trains the encoder aggressively first, and both groups jointly then.

    He et al. 2019, https://arxiv.org/abs/1901.05534. A step of the aggressive phase is `ratio`
    encoder-only updates followed by one decoder-only update.

    Args:
        ratio: number of encoder updates before each decoder update; at least 1.
        epochs: length of the aggressive phase in epochs, at most (see `until`).
        batches: minibatches of the ratio + 1 updates: `same` takes one, with fresh noise, and
            `fresh` one for each encoder update.
        until: end of the aggressive phase: after `epochs`, or already when the validation
            `mutual_information` stops rising. An estimate at its ceiling, as with many latent
            dimensions, cannot tell, and the phase goes on.

    Raises:
        ValueError: an argument is out of its range.
    """

    ratio: int = 5
    epochs: int = 20
    batches: Batches = "same"
    until: Until = "epochs"
    name: ClassVar[str] = "lagging"
    provides: ClassVar[frozenset[str]] = frozenset({"lagging"})
    aggressive: bool = field(default=True, init=False, repr=False, compare=False)
    phase_ended_at: int | None = field(default=None, init=False, repr=False, compare=False)
    last_information: float = field(default=-math.inf, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("ratio", "epochs", "batches", "until"):
            require(f"schedule.{name}", getattr(self, name))

    def updates(self) -> Updates:
        if not self.aggressive:
            yield JOINT
            return
        for _ in range(self.ratio):
            yield Update(("inference",), fresh=self.batches == "fresh")
        yield Update(("generative",))

    def check_length(self, max_epochs: int | None) -> None:
        if max_epochs is not None and 0 <= max_epochs < self.epochs:
            raise ValueError(
                f"schedule.epochs={self.epochs}: the aggressive phase is longer than the run "
                f"(trainer.max_epochs={max_epochs}). Shorten it with schedule.epochs={max_epochs} "
                "or less."
            )

    def begin_epoch(self, epoch: int) -> None:
        self.aggressive = epoch < self.aggressive_epochs(epoch + 1)

    def end_epoch(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        information = metrics.get("val/mutual_information")
        if not self.aggressive or self.until == "epochs" or information is None:
            return
        ceiling = float(metrics["val/mutual_information_ceiling"])
        if float(information) > SATURATED * ceiling:
            return  # The estimate cannot rise further, whatever the mutual information does.
        if float(information) <= self.last_information:
            self.phase_ended_at = epoch + 1
        self.last_information = float(information)

    @property
    def phase(self) -> str:
        return "aggressive" if self.aggressive else "joint"

    def aggressive_epochs(self, epochs: int) -> int:
        ended = epochs if self.phase_ended_at is None else self.phase_ended_at
        return min(epochs, self.epochs, ended)

    def state_dict(self) -> dict[str, Any]:
        return {
            "phase_ended_at": self.phase_ended_at,
            "last_information": self.last_information,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.phase_ended_at = state["phase_ended_at"]
        self.last_information = state["last_information"]

"""Schedules, which say which parameter groups are updated, in which order and until when."""

import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from reslag_vae._runtime import collectives
from reslag_vae.models.generative import GROUPS, Group
from reslag_vae.options import require

__all__ = ["Generative", "Joint", "Lagging"]

Batches = Literal["same", "fresh"]
Until = Literal["epochs", "mutual_information"]

# Share of its ceiling from which an estimate of the mutual information tells nothing any more.
SATURATED = 0.95

# Of the adaptive ratio: encoder updates before a decoder update, at most, and those whose mean loss
# is compared with that of as many before.
MOST_UPDATES, WINDOW = 100, 10


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

    @property
    def fixed(self) -> bool:
        """Whether every step of the epoch makes the same updates, all on its own minibatch."""
        return True

    @property
    def encoder_updates(self) -> int:
        """The encoder updates of an aggressive step: it costs about as many joint ones."""
        return 1

    def aggressive_epochs(self, epochs: int) -> int:
        """Return how many of the first `epochs` epochs train the encoder aggressively."""
        return 0

    def updates_in(self, epochs: int) -> int:
        """Return how many updates a minibatch has in so many epochs, as they are planned.

        Nothing that happens in the run changes it.
        """
        return epochs

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a checkpoint holds, in plain values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that a checkpoint holds."""


@dataclass
class Joint(Schedule):
    """The schedule of one update for each step, in which both groups step."""

    name: ClassVar[str] = "joint"
    provides: ClassVar[frozenset[str]] = frozenset({"joint"})

    def updates(self) -> Updates:
        yield JOINT


@dataclass
class Generative(Schedule):
    """The schedule in which the generative group alone steps, and inference stands still."""

    name: ClassVar[str] = "generative"
    provides: ClassVar[frozenset[str]] = frozenset({"generative_alone"})

    def updates(self) -> Updates:
        yield Update(("generative",))

    @property
    def phase(self) -> str:
        return "generative"


@dataclass
class Lagging(Schedule):
    """The schedule that trains the encoder aggressively first, and both groups jointly then.

    He et al. 2019, https://arxiv.org/abs/1901.05534. A step of the aggressive phase is `ratio`
    encoder-only updates followed by one decoder-only update.

    Args:
        ratio: number of encoder updates before each decoder update, at least 1; `adaptive` is the
            paper's rule: until the mean loss of 10 updates is above that of the 10 before, and at
            most 100, each on another minibatch.
        epochs: length of the aggressive phase in epochs, at most (see `until`).
        batches: minibatches of the ratio + 1 updates: `same` takes one, with fresh noise, and
            `fresh` one for each encoder update. An adaptive ratio takes fresh ones, whatever it is.
        until: end of the aggressive phase: after `epochs`, or already when the validation
            `mutual_information` stops rising. An estimate at its ceiling, as with many latent
            dimensions, or none, as with binary ones, cannot tell, and the phase goes on.
        patience: number of epochs, not necessarily in a row, whose mutual information is no higher
            than the highest before, with which the phase ends; the paper's code has 5.

    Raises:
        ValueError: an argument is out of its range.
    """

    ratio: int | Literal["adaptive"] = 5
    epochs: int = 20
    batches: Batches = "same"
    until: Until = "epochs"
    patience: int = 1
    name: ClassVar[str] = "lagging"
    provides: ClassVar[frozenset[str]] = frozenset({"lagging"})
    aggressive: bool = field(default=True, init=False, repr=False, compare=False)
    phase_ended_at: int | None = field(default=None, init=False, repr=False, compare=False)
    most_information: float = field(default=-math.inf, init=False, repr=False, compare=False)
    epochs_below: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("ratio", "epochs", "batches", "until", "patience"):
            require(f"schedule.{name}", getattr(self, name))

    def updates(self) -> Updates:
        if not self.aggressive:
            yield JOINT
            return
        if self.ratio == "adaptive":
            yield from adaptive_updates()
        else:
            for _ in range(self.ratio):
                yield Update(("inference",), fresh=self.batches == "fresh")
        yield Update(("generative",))

    def check_length(self, max_epochs: int | None) -> None:
        if max_epochs is not None and 0 <= max_epochs < self.epochs:
            raise ValueError(
                f"schedule.epochs={self.epochs}: the aggressive phase is longer than the run "
                f"(trainer.max_epochs={max_epochs}). Shorten it with schedule.epochs={max_epochs} "
                f"or less, or train longer with trainer.max_epochs={self.epochs}."
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
        if float(information) > self.most_information:
            self.most_information = float(information)
        else:
            self.epochs_below += 1
        if self.epochs_below >= self.patience:
            self.phase_ended_at = epoch + 1

    @property
    def phase(self) -> str:
        return "aggressive" if self.aggressive else "joint"

    @property
    def fixed(self) -> bool:
        return not self.aggressive or (self.ratio != "adaptive" and self.batches == "same")

    @property
    def encoder_updates(self) -> int:
        # An adaptive step compares two windows at least.
        return 2 * WINDOW if self.ratio == "adaptive" else self.ratio

    def aggressive_epochs(self, epochs: int) -> int:
        ended = epochs if self.phase_ended_at is None else self.phase_ended_at
        return min(epochs, self.epochs, ended)

    def updates_in(self, epochs: int) -> int:
        return epochs + min(epochs, self.epochs) * self.encoder_updates

    def state_dict(self) -> dict[str, Any]:
        return {
            "phase_ended_at": self.phase_ended_at,
            "most_information": self.most_information,
            "epochs_below": self.epochs_below,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.phase_ended_at = state["phase_ended_at"]
        self.most_information = state["most_information"]
        self.epochs_below = state["epochs_below"]


def adaptive_updates() -> Updates:
    """Yield encoder updates until they help no more.

    He et al. 2019, https://arxiv.org/abs/1901.05534, Algorithm 1, with the numbers of their code,
    whose count ends at 99, before the last window is full. The first minibatch is the step's own.
    """
    previous, losses = math.inf, []
    for count in range(1, MOST_UPDATES + 1):
        losses.append((yield Update(("inference",), fresh=count > 1)).mean())
        if count % WINDOW == 0:
            # Of all processes, so that they end together.
            mean = float(collectives.mean(torch.stack(losses).mean()))
            if mean > previous:
                return
            previous, losses = mean, []

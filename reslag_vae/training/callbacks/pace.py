"""When pictures are drawn during training: after each epoch is saved, and at what pace."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic

from lightning.pytorch.callbacks import Checkpoint

# Of the time that has passed, for each callback that draws: all of them stay below 2%
SHARE = 0.005


class DrawingPace:
    """The rule when a picture of training is drawn anew: as often as its own cost allows.

    The first picture is always due. After one that took a second the next is due 200 seconds
    later, so that drawing takes half a percent of the time, whatever a picture and an epoch cost.

    Args:
        share: share of the time that drawing may take.
    """

    def __init__(self, share: float = SHARE) -> None:
        self.share, self.next = share, -inf

    @property
    def due(self) -> bool:
        """Whether the cost of the picture before has been made up for."""
        return monotonic() >= self.next

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Measure the cost of a picture, which is drawn within the context."""
        import matplotlib.backends.backend_agg  # noqa: F401  # to load it is no cost of a picture

        start = monotonic()
        yield
        end = monotonic()
        self.next = end + (end - start) / self.share


class Drawing(Checkpoint):
    """A callback that draws an epoch once that is saved: no error in a picture loses the epoch.

    The class is a `Checkpoint` because Lightning calls those after the model has logged its epoch;
    `build` puts it behind the callback that saves.

    Attributes:
        pace: pace at which it draws.
    """

    def __init__(self) -> None:
        self.pace = DrawingPace()

"""How often pictures are drawn: by what they cost."""

import pytest

from reslag_vae.training.callbacks import pace
from reslag_vae.training.callbacks.pace import SHARE, DrawingPace

CALLBACKS_THAT_DRAW = 4  # images, collapse, curves, and the entries within epochs


class Clock:
    """A clock that only drawing and waiting move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "monotonic", clock)
    return clock


def drawn(clock: Clock, epochs: int, seconds: float, cost: float) -> tuple[int, float]:
    """How many epochs are drawn, and the share of the time that it takes."""
    own, count = DrawingPace(), 0
    for _ in range(epochs):
        clock.now += seconds
        if own.due:
            count += 1
            with own.drawing():
                clock.now += cost
    return count, count * cost / clock.now


@pytest.mark.parametrize("seconds", [0.1, 3.0, 50.0])
def test_drawing_takes_a_small_share_whatever_an_epoch_takes(clock: Clock, seconds: float) -> None:
    count, share = drawn(clock, 20_000, seconds, cost=0.4)
    assert share < 1.1 * SHARE
    assert CALLBACKS_THAT_DRAW * SHARE <= 0.02
    assert count > 1


def test_long_epochs_are_all_drawn(clock: Clock) -> None:
    assert drawn(clock, 20, 300.0, cost=0.4)[0] == 20

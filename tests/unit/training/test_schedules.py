import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from reslag_vae.training.schedules import Generative, Joint, Lagging, Schedule, Update

JOINT = [Update(("inference", "generative"))]


def step(schedule: Schedule, epoch: int = 0) -> list[Update]:
    """The updates of a training step in an epoch, each answered with its loss."""
    schedule.begin_epoch(epoch)
    updates = schedule.updates()
    found = [next(updates)]
    while True:
        try:
            found.append(updates.send(torch.ones(())))
        except StopIteration:
            return found


@pytest.mark.parametrize("epoch", [0, 7])
def test_joint_updates_both_groups_at_once(epoch: int) -> None:
    assert step(Joint(), epoch) == JOINT


@pytest.mark.parametrize("ratio", [1, 2, 5])
@pytest.mark.parametrize("batches", ["same", "fresh"])
def test_lagging_updates_the_encoder_n_times_then_the_decoder(ratio: int, batches: Any) -> None:
    schedule = Lagging(ratio=ratio, epochs=3, batches=batches)
    encoder, decoder = Update(("inference",), fresh=batches == "fresh"), Update(("generative",))
    assert step(schedule, 2) == [encoder] * ratio + [decoder]
    assert step(schedule, 3) == JOINT


def test_ratio_one_is_not_the_joint_update() -> None:
    assert step(Lagging(ratio=1)) != JOINT


@pytest.mark.parametrize(
    ("schedule", "epoch", "phase"),
    [
        (Joint(), 0, "joint"),
        (Lagging(epochs=2), 1, "aggressive"),
        (Lagging(epochs=2), 2, "joint"),
        (Lagging(epochs=0), 0, "joint"),
    ],
)
def test_the_phase_is_that_of_the_epoch(schedule: Schedule, epoch: int, phase: str) -> None:
    schedule.begin_epoch(epoch)
    assert schedule.phase == phase


def test_aggressive_epochs_are_those_of_the_phase() -> None:
    assert [Lagging(epochs=3).aggressive_epochs(epochs) for epochs in (0, 2, 3, 9)] == [0, 2, 3, 3]
    assert Joint().aggressive_epochs(9) == 0


@pytest.mark.parametrize(
    "schedule", [Joint(), Generative(), Lagging(ratio=3, epochs=2), Lagging(ratio=2, epochs=9)]
)
def test_the_updates_of_a_run_are_counted_before_it(schedule: Schedule) -> None:
    planned = schedule.updates_in(4)
    steps = [step(schedule, epoch) for epoch in range(4)]
    assert planned == sum(map(len, steps))


def test_updates_are_those_planned_where_the_aggressive_phase_ends_early() -> None:
    schedule = Lagging(ratio=3, epochs=5, until="mutual_information")
    schedule.phase_ended_at = 2
    assert schedule.aggressive_epochs(9) == 2
    assert schedule.updates_in(9) == 5 * 4 + 4


def validated(schedule: Schedule, epoch: int, information: float) -> None:
    """Tell a schedule of an epoch whose estimate of the mutual information may rise to 5 nats."""
    schedule.begin_epoch(epoch)
    metrics = {"val/mutual_information": information, "val/mutual_information_ceiling": 5.0}
    schedule.end_epoch(epoch, metrics)


def test_the_state_is_all_that_the_phase_depends_on() -> None:
    first = Lagging(epochs=9, until="mutual_information")
    second = Lagging(epochs=9, until="mutual_information")
    assert first.state_dict() == {
        "phase_ended_at": None,
        "most_information": -math.inf,
        "epochs_below": 0,
    }
    validated(first, 0, 2.0)
    second.load_state_dict(first.state_dict())
    for schedule in (first, second):
        validated(schedule, 1, 1.5)
        assert schedule.phase_ended_at == 2
        assert step(schedule, 2) == JOINT


def test_patience_counts_epochs_below_the_highest_in_a_row_or_not() -> None:
    schedule = Lagging(epochs=99, until="mutual_information", patience=3)
    for epoch, information in enumerate([2.0, 1.0, 3.0, 2.5, 3.1, 3.1]):
        assert schedule.phase_ended_at is None
        validated(schedule, epoch, information)

    assert schedule.phase_ended_at == 6
    assert step(schedule, 6) == JOINT


def adaptive_step(losses: Iterator[float]) -> list[Update]:
    """The updates of a step of the adaptive ratio, answered with these losses of an image each."""
    schedule = Lagging(ratio="adaptive")
    schedule.begin_epoch(0)
    updates = schedule.updates()
    found = [next(updates)]
    try:
        while True:
            found.append(updates.send(torch.tensor([next(losses)])))
    except StopIteration:
        return found


def test_the_adaptive_ratio_ends_with_the_first_window_whose_mean_loss_rose() -> None:
    means = (5.0, 4.0, 4.0, 4.1)
    found = adaptive_step(mean + i for mean in means for i in (-4.5, -3.5, -2.5, -1.5, -0.5) * 2)
    first, fresh = Update(("inference",)), Update(("inference",), fresh=True)

    assert found == [first, *[fresh] * 39, Update(("generative",))]


def test_the_adaptive_ratio_ends_after_a_hundred_updates() -> None:
    assert len(adaptive_step(1 / (1 + i) for i in itertools.count())) == 100 + 1


@pytest.mark.parametrize("max_epochs", [None, -1, 5, 6])
def test_a_phase_that_ends_is_accepted(max_epochs: int | None) -> None:
    Lagging(epochs=5).check_length(max_epochs)


@pytest.mark.parametrize("max_epochs", [0, 1, 4])
def test_a_phase_longer_than_the_run_is_refused(max_epochs: int) -> None:
    named = rf"trainer\.max_epochs={max_epochs}.*schedule\.epochs={max_epochs} or less.*=5\."
    message = rf"schedule\.epochs=5.*{named}"
    with pytest.raises(ValueError, match=message):
        Lagging(epochs=5).check_length(max_epochs)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("ratio", 0),
        ("ratio", -1),
        ("ratio", "often"),
        ("patience", 0),
        ("epochs", -1),
        ("batches", "other"),
        ("until", "never"),
    ],
)
def test_arguments_out_of_range_are_named(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"schedule\.{option}={value}"):
        Lagging(**{option: value})


@pytest.mark.parametrize("option", ["same", "fresh", "epochs", "mutual_information"])
def test_the_error_names_the_choices(option: str) -> None:
    name: Any = "wrong"
    with pytest.raises(ValueError, match=option):
        Lagging(batches=name) if option in ("same", "fresh") else Lagging(until=name)


def test_schedules_of_the_same_options_are_equal_wherever_they_stand() -> None:
    begun = Lagging(2, 3)
    begun.begin_epoch(7)
    assert begun == Lagging(ratio=2, epochs=3) != Lagging(ratio=3, epochs=3)
    options = "ratio=2, epochs=3, batches='same', until='epochs', patience=1"
    assert repr(begun) == f"Lagging({options})"

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from reslag_vae.training.schedules import Joint, Lagging, Schedule

JOINT = (("inference", "generative"),)


@pytest.mark.parametrize("aggressive", [False, True])
def test_joint_updates_both_groups_at_once(aggressive: bool) -> None:
    assert Joint().updates(aggressive) == JOINT


@pytest.mark.parametrize("ratio", [1, 2, 5])
def test_lagging_updates_the_encoder_n_times_then_the_decoder(ratio: int) -> None:
    schedule = Lagging(ratio=ratio, epochs=3)

    assert schedule.updates(aggressive=True) == (("inference",),) * ratio + (("generative",),)
    assert schedule.updates(aggressive=False) == JOINT


def test_ratio_one_is_not_the_joint_update() -> None:
    assert Lagging(ratio=1).updates(aggressive=True) != JOINT


@pytest.mark.parametrize("max_epochs", [None, -1, 5, 6])
def test_a_phase_that_ends_is_accepted(max_epochs: int | None) -> None:
    Lagging(epochs=5).check_length(max_epochs)


@pytest.mark.parametrize("max_epochs", [0, 1, 4])
def test_a_phase_longer_than_the_run_is_refused(max_epochs: int) -> None:
    message = (
        rf"schedule\.epochs=5.*trainer\.max_epochs={max_epochs}.*"
        rf"schedule\.epochs={max_epochs} or less"
    )
    with pytest.raises(ValueError, match=message):
        Lagging(epochs=5).check_length(max_epochs)


@pytest.mark.parametrize(
    ("option", "value"),
    [("ratio", 0), ("ratio", -1), ("epochs", -1), ("batches", "other"), ("until", "never")],
)
def test_arguments_out_of_range_are_named(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"schedule\.{option}={value}"):
        Lagging(**{option: value})


@pytest.mark.parametrize("option", ["same", "fresh", "epochs", "mutual_information"])
def test_the_error_names_the_choices(option: str) -> None:
    name: Any = "wrong"
    with pytest.raises(ValueError, match=option):
        Lagging(batches=name) if option in ("same", "fresh") else Lagging(until=name)


@pytest.mark.parametrize(("schedule", "field"), [(Joint(), "name"), (Lagging(), "ratio")])
def test_schedules_are_frozen_values(schedule: Schedule, field: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(schedule, field, 1)
    assert Lagging(2, 3) == Lagging(ratio=2, epochs=3)
    assert hash(Lagging(2, 3)) == hash(Lagging(ratio=2, epochs=3))

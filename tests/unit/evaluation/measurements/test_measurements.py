"""All groups of numbers together."""

from collections.abc import Callable
from typing import Any

import pytest

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import measure

MakeSubject = Callable[..., Subject]


def test_every_number_has_its_protocol_and_none_depends_on_the_batch_size(
    kind: tuple[str, dict[str, Any]],
    make_subject: MakeSubject,
    make_stripes: Callable[..., Any],
) -> None:
    choice, options = kind
    one, other = (
        measure(make_subject(choice, make_stripes(batch_size=size), options=options))
        for size in (7, 60)
    )
    assert {group: set(numbers) for group, numbers in one.items()} == {
        g: set(n) for g, n in other.items()
    }
    for group, numbers in one.items():
        for name, number in numbers.items():
            assert number.protocol
            assert number.unit
            if name != "mmd" and not (
                choice == "mmd" and name == "total"
            ):  # a statistic of the minibatch
                expected = other[group][name].value
                assert number.value == (
                    None if expected is None else pytest.approx(expected, rel=1e-4, abs=1e-6)
                ), name

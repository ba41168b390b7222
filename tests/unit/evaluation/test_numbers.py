"""A number and how it was measured."""

import math

import pytest
import torch

from reslag_vae.evaluation.numbers import (
    Number,
    format_measured,
    mean_over_images,
    missing,
)


def test_a_mean_has_its_standard_error() -> None:
    number = mean_over_images(torch.tensor([1.0, 2.0, 6.0]), "nats", "three images")
    assert number.value == pytest.approx(3.0)
    assert number.error == pytest.approx(math.sqrt(7.0) / math.sqrt(3))
    assert mean_over_images(torch.tensor([1.0]), "nats", "one").error is None


def test_for_json_an_error_is_there_only_if_there_is_one() -> None:
    assert Number(1.0, "nats", "how").as_dict() == {"value": 1.0, "unit": "nats", "protocol": "how"}
    assert Number(1.0, "nats", "how", 0.5).as_dict()["error"] == 0.5
    assert missing("nats", "why").as_dict() == {"value": None, "unit": "nats", "protocol": "why"}


@pytest.mark.parametrize(
    ("error", "shown"), [(852.26, "850"), (22.4, "22"), (0.00047, "0.00047"), (2e-13, "2e-13")]
)
def test_an_error_has_two_digits_and_an_exponent_only_where_it_is_tiny(
    error: float, shown: str
) -> None:
    assert format_measured(Number(4042.91, "nats", "how", error)) == f"4042.9 ± {shown}"

"""Numbers and verdicts of the levels of a hierarchy."""

import pytest
import torch

from reslag_vae.latents.levels import numbered
from reslag_vae.latents.verdicts import verdict_on_levels

USED, IDLE = torch.tensor([True, False]), torch.tensor([False, False, False])


def test_levels_are_numbered_from_the_top_and_one_level_is_not() -> None:
    assert numbered("kl", [3.0, 1.5]) == {"kl_level_1": 3.0, "kl_level_2": 1.5}
    assert numbered("kl", [3.0]) == {}


@pytest.mark.parametrize(
    ("rates", "active", "expected"),
    [
        ([0.5, 0.1], [USED, USED], ""),
        ([0.09, 5.0], [USED, USED], "; level 1 of 2 COLLAPSED: KL 0.09 nats"),
        ([2.0, 5.0], [USED, IDLE], "; level 2 of 2 COLLAPSED: all 3 units idle"),
        (
            [0.0, 0.2],
            [IDLE, IDLE],
            "; level 1 of 2 COLLAPSED: KL 0.00 nats; level 2 of 2 COLLAPSED: all 3 units idle",
        ),
        (
            [0.0, 0.09, 5.0, 0.02, 3.0, 1.0, 1.0],
            [IDLE, USED, USED, IDLE, USED, IDLE, IDLE],
            "; levels 1 to 2, 4 of 7 COLLAPSED: KL at most 0.09 nats each"
            "; levels 6 to 7 of 7 COLLAPSED: all 6 units idle",
        ),
        ([0.0], [IDLE], ""),
    ],
)
def test_levels_that_say_nothing_are_named(
    rates: list[float], active: list[torch.Tensor], expected: str
) -> None:
    assert verdict_on_levels(rates, active) == expected

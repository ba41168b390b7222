"""Where images lie, as far as it is decided without a GPU."""

import logging

import pytest
import torch

from reslag_vae.data import placement
from reslag_vae.data.images import Images
from reslag_vae.data.placement import Placement

GPU = torch.device("cuda", 0)


def images(count: int) -> Images:
    return Images(torch.zeros(count, 1, 8, 8, dtype=torch.uint8), torch.full((count,), -1))


@pytest.mark.parametrize(("free", "moved"), [(64 * 12 * 2, True), (64 * 12 * 2 - 1, False)])
def test_images_move_to_a_gpu_where_all_splits_fit_into_half_of_it(
    free: int, moved: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    train, val = images(8), images(4)
    there = images(8)
    monkeypatch.setattr(placement, "free_memory", lambda _: free)
    monkeypatch.setattr(Images, "to", lambda *_: there)
    with caplog.at_level(logging.WARNING, "reslag_vae"):
        found = Placement().place(train, [train, val], GPU)
    assert found is (there if moved else train)
    assert ("stay in main memory" in caplog.text) is not moved


def test_without_a_gpu_nothing_moves() -> None:
    own = images(3)
    assert Placement().place(own, [own], torch.device("cpu")) is own

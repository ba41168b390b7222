"""Densities that are fitted to codes."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reslag_vae.apply.samplers import LEARNED, fitted, value_of
from reslag_vae.evaluation.progress import Progress
from reslag_vae.latents.estimated import EstimatedPrior


@pytest.fixture
def classes() -> np.ndarray:
    """(600, 2) codes of 10 classes far apart, one after the other, as folders are read."""
    random = np.random.default_rng(0)
    centres = np.repeat(np.arange(10.0), 60)[:, None] * [1.0, -1.0]
    codes: np.ndarray = centres + 0.01 * random.standard_normal((600, 2))
    return codes


@pytest.mark.parametrize("name", LEARNED)
def test_the_codes_held_out_are_of_all_classes(
    name: str, classes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[Tensor] = []

    def seen(_: EstimatedPrior, train: Tensor, held: Tensor, __: Progress) -> None:
        parts.extend([train, held])

    monkeypatch.setattr("reslag_vae.apply.samplers.fit", seen)
    sampler: Any = fitted(name, classes, "images")
    train, held = (part * sampler.spread + sampler.mean for part in parts)
    assert (len(train), len(held)) == (540, 60)
    for part in (train, held):
        assert set(part[:, 0].round().int().tolist()) == set(range(10))
    every = torch.cat([train, held])[:, 0].sort().values
    assert every == pytest.approx(np.sort(classes[:, 0]), abs=1e-5)


@pytest.mark.parametrize("name", LEARNED)
def test_updates_that_only_harm_are_not_kept(
    name: str, classes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reslag_vae.apply.samplers.UPDATES", 0)
    before: Any = fitted(name, classes, "images")
    monkeypatch.setattr("reslag_vae.apply.samplers.UPDATES", 50)
    monkeypatch.setattr("reslag_vae.apply.samplers.RATE", 10.0)
    after: Any = fitted(name, classes, "images")
    codes = torch.from_numpy(classes).float()
    assert value_of(after.prior, codes) == value_of(before.prior, codes)

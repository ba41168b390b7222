import math

import pytest
import torch

from reslag_vae.latents import DiagonalGaussian
from reslag_vae.likelihoods import SquaredError
from reslag_vae.objectives import Capacity
from tests.inferred import infer

IMAGES, RECONSTRUCTION = torch.rand(
    2, 4, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
)
MEAN, LOG_VARIANCE = torch.randn(
    2, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
)


def losses(objective: Capacity) -> list[float]:
    distortion = SquaredError()(IMAGES, RECONSTRUCTION)
    terms = objective(distortion, infer(DiagonalGaussian(MEAN, LOG_VARIANCE)))
    return list(terms.loss.tolist())


def expected(gamma: float, capacity: float) -> list[float]:
    values = []
    for i in range(4):
        pixels = zip(
            IMAGES[i].flatten().tolist(), RECONSTRUCTION[i].flatten().tolist(), strict=True
        )
        rec = sum((x - y) ** 2 for x, y in pixels)
        code = zip(MEAN[i].tolist(), LOG_VARIANCE[i].tolist(), strict=True)
        kl = sum((m**2 + math.exp(v) - 1 - v) / 2 for m, v in code)
        values.append(rec + gamma * abs(kl - capacity))
    return values


def test_capacity_rises_by_equal_steps_and_then_stays() -> None:
    objective = Capacity(gamma=3.0, capacity=8.0, epochs=4)
    assert losses(objective) == pytest.approx(expected(3.0, 2.0), rel=1e-12)

    for epoch, capacity in enumerate([2.0, 4.0, 6.0, 8.0, 8.0, 8.0]):
        objective.begin_epoch(epoch)
        assert losses(objective) == pytest.approx(expected(3.0, capacity), rel=1e-12)


def test_evaluation_uses_the_final_capacity() -> None:
    objective = Capacity(gamma=3.0, capacity=8.0, epochs=4).eval()
    for epoch in range(6):
        objective.begin_epoch(epoch)
        assert losses(objective) == pytest.approx(expected(3.0, 8.0), rel=1e-12)


def test_without_a_rise_the_capacity_is_final_from_the_start() -> None:
    objective = Capacity(gamma=3.0, capacity=8.0, epochs=0)
    assert losses(objective) == pytest.approx(expected(3.0, 8.0), rel=1e-12)
    objective.begin_epoch(0)
    assert losses(objective) == pytest.approx(expected(3.0, 8.0), rel=1e-12)


@pytest.mark.parametrize(
    ("option", "value"), [("gamma", 0.0), ("gamma", -1.0), ("capacity", -1.0), ("epochs", -1)]
)
def test_arguments_out_of_range_are_named(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{option}={value}"):
        Capacity(**{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("max_epochs", [4, 5])
def test_a_rise_that_ends_is_accepted(max_epochs: int) -> None:
    Capacity(epochs=4).check_length(max_epochs)
    Capacity(epochs=0).check_length(1)


@pytest.mark.parametrize("max_epochs", [1, 3])
def test_a_rise_longer_than_the_run_is_refused(max_epochs: int) -> None:
    message = (
        rf"objective\.epochs=4: .*trainer\.max_epochs={max_epochs}.*"
        rf"objective\.epochs={max_epochs} or less.*trainer\.max_epochs=4\."
    )
    with pytest.raises(ValueError, match=message):
        Capacity(epochs=4).check_length(max_epochs)

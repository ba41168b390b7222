"""A GPU trains as a CPU does, by the same noise."""

import pytest
import torch
from torch import Tensor

from reslag_vae.latents.inferred import joined
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective
from reslag_vae.training import updates
from tests.gpu.conftest import EAGER, STEPS, Run, assert_near

VARIANTS = (
    "autoencoder",
    "vae",
    "beta_vae",
    "mmd_infovae",
    "optimal_sigma",
    "lagging",
    "reslag",
    "reslag_light",
)
LAGGING = ("lagging", "reslag", "reslag_light")
BATCHES = "data.batch_size=64"


@pytest.fixture
def same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise that the CPU draws, on every device."""

    def drawn(
        model: GenerativeModel, objective: Objective, images: Tensor
    ) -> tuple[tuple[Tensor, ...] | None, Tensor | None]:
        widths = () if model.deterministic else model.level_dims
        noise = tuple(torch.randn(len(images), width).to(images.device) for width in widths)
        if not objective.draws_prior:
            return noise or None, None
        return noise or None, joined(model.sample_latents(len(images), torch.default_generator))

    monkeypatch.setattr(updates, "draw_noise", drawn)


@pytest.mark.usefixtures("same_noise")
@pytest.mark.parametrize("schedule", ["joint", "lagging"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_losses_are_those_of_the_cpu(
    variant: str, schedule: str, run: Run, device: torch.device
) -> None:
    options = [f"model={variant}", EAGER, BATCHES]
    if schedule == "lagging":
        options += ["schedule=lagging", "schedule.ratio=2", "schedule.epochs=1"]
    elif variant in LAGGING:
        options += ["schedule.epochs=0"]
    ours, theirs = run(*options), run(*options, on="cpu")
    assert len(ours.rows[0]) >= STEPS or device.type == "cpu"
    assert_near(ours, theirs, 1e-3)


@pytest.mark.usefixtures("same_noise")
def test_losses_on_fresh_minibatches_are_those_of_the_cpu(run: Run) -> None:
    lagging = ("model=lagging", "schedule.ratio=2", "schedule.epochs=1")
    options = (*lagging, "schedule.batches=fresh", EAGER, BATCHES)
    assert_near(run(*options), run(*options, on="cpu"), 1e-3)

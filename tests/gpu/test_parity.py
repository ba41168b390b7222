"""A GPU trains as a CPU does, by the same noise."""

import pytest
import torch
from torch import Tensor

from reslag_vae.latents.inferred import joined
from reslag_vae.models import GenerativeModel
from reslag_vae.objectives import Objective
from reslag_vae.training import updates
from reslag_vae.variants.titles import BY_NAME
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

GRID = ("network.channels=[4,8]", "network.blocks=[1,1]")
GRIDS = ("network.channels=[4,4,8]", "network.blocks=[1,1,1]")
PIXELCNN = ("likelihood.channels=4", "likelihood.layers=2")
# What makes the other systems small: a few steps of each say whether they are the same.
OTHERS = {
    "skip_vae": (),
    "pixelcnn": PIXELCNN,
    "pixelvae": PIXELCNN,
    "pixelvae_pp": PIXELCNN,
    "f_vae": ("prior.transforms=2", "prior.hidden_features=[8]"),
    "vq_vae": (*GRID, "posterior.codes=16"),
    "fsq_vae": GRID,
    "vq_vae_2": (*GRIDS, "posterior.codes=16"),
    "ladder_vae": ("network.latent_channels=[1,1]",),
    "biva": ("network.latent_channels=[1,1]",),
    "vdvae": ("network.stage_levels=[1,1,2]", "network.width=4", "network.local_channels=1"),
    "reslag_deep": (),
}
FEW = (
    "recipe.channels=[2,4]",
    "recipe.blocks=[1,1]",
    "recipe.residual=true",
    "+trainer.limit_train_batches=4",
    "+trainer.limit_val_batches=1",
)


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


@pytest.mark.usefixtures("same_noise")
@pytest.mark.parametrize("variant", OTHERS)
def test_losses_of_other_systems_are_those_of_the_cpu(variant: str, run: Run) -> None:
    if variant == "f_vae":
        pytest.importorskip("zuko", reason="prior=flow needs zuko")
    options = (f"model={variant}", EAGER, BATCHES, *FEW, *OTHERS[variant])
    # Codes are chosen by rounding, too: a choice may differ.
    assert_near(run(*options), run(*options, on="cpu"), 0.02 if "vq" in variant else 1e-3)


@pytest.mark.usefixtures("same_noise")
def test_losses_by_an_adaptive_ratio_are_those_of_the_cpu(run: Run) -> None:
    adaptive = ("model=lagging", "schedule.ratio=adaptive", "schedule.batches=fresh")
    options = (*adaptive, "schedule.epochs=1", EAGER, BATCHES, *FEW)
    assert_near(run(*options), run(*options, on="cpu"), 1e-3)


def test_every_variant_is_held_against_the_cpu() -> None:
    second_stages = {"code_prior", "fitted_prior"}  # which begin with a run
    assert {*VARIANTS, *OTHERS} == set(BY_NAME) - second_stages

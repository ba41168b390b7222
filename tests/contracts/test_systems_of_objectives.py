"""Every model takes steps on the objectives that it takes, and refuses the others in words."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lightning import Trainer
from omegaconf import DictConfig

from reslag_vae.data import Digits, ImageDataModule
from reslag_vae.training.build import build_system
from tests.contracts.test_systems import TINY_GRID, TINY_HIERARCHY, TINY_TWO_GRIDS

Compose = Callable[..., DictConfig]
Fit = Callable[..., Trainer]

pytestmark = pytest.mark.usefixtures("small_digits")

CONF = Path(__file__).parents[2] / "conf"
# Second stages, which begin with a run: tests/unit/training/test_second_stage.py
SECOND = {"fitted_prior", "code_prior"}
RULES = ("sigma_data", "sigma_fixed", "sigma_learned", "sigma_optimal")
BOUNDS = ("elbo", "warm_up", "free_bits", "level_free_bits", *RULES)
ALLOWED = {
    "autoencoder": ("reconstruction", "mmd"),
    "vae": BOUNDS,
    "beta_vae": ("beta", "capacity"),
    "mmd_infovae": ("mmd",),
    "optimal_sigma": RULES,
    "pixelcnn": BOUNDS,
    "vq_vae": BOUNDS,
    "fsq_vae": BOUNDS,
    "vq_vae_2": BOUNDS,
    "ladder_vae": BOUNDS,
    "biva": BOUNDS,
    "vdvae": BOUNDS,
    "f_vae": BOUNDS,
} | dict.fromkeys(
    ("lagging", "reslag", "reslag_light", "skip_vae", "pixelvae", "reslag_deep"),
    (*BOUNDS, "beta", "capacity", "mmd"),
)
# A trained prior takes no loss without a KL to it.
ALLOWED["pixelvae_pp"] = (*BOUNDS, "beta", "capacity")
# The KL weighs something from the first step on, so that it trains a prior.
AT_ONCE = {
    "warm_up": ("objective.start=0.5",),
    "free_bits": ("objective.nats=0",),
    "level_free_bits": ("objective.nats=0",),
}


TINY = (
    "data=digits",
    "recipe.image_shape=[1,8,8]",
    "recipe.channels=[2,4]",
    "recipe.blocks=[1,1]",
    "recipe.residual=true",
    "logger=none",
)
TINY_PIXELCNN = ("likelihood.layers=2", "likelihood.channels=4")
# What makes a model small whose size is not of the recipe.
SMALL = {
    **dict.fromkeys(("pixelcnn", "pixelvae", "pixelvae_pp"), TINY_PIXELCNN),
    "vq_vae": TINY_GRID,
    "fsq_vae": TINY_GRID,
    "vq_vae_2": (*TINY_TWO_GRIDS, "posterior.codes=20"),
    **TINY_HIERARCHY,
}


def names(group: str) -> set[str]:
    """Of the files of a group."""
    return {path.stem for path in (CONF / group).glob("*.yaml")}


def test_the_objectives_of_every_model_are_known() -> None:
    assert set(ALLOWED) == names("model") - SECOND


def preset_of(model: str, objective: str) -> str:
    """What a run says of its objective: a rule for sigma has no part in a PixelCNN."""
    likelihood = {"pixelvae_pp": "pixelcnn_pp"}.get(model, "pixelcnn")
    if not model.startswith("pixel"):
        return objective
    return f"{'elbo' if objective in RULES else objective}, {likelihood}"


@pytest.fixture(scope="module")
def digits() -> ImageDataModule:
    module = Digits("unused", batch_size=16, val_fraction=0.1, seed=0)
    module.setup()
    return module


# Of each kind of parts one takes all of its objectives, and the others two.
WHOLE = (
    *("autoencoder", "vae", "beta_vae", "mmd_infovae", "optimal_sigma", "reslag_light"),
    *("ladder_vae", "vq_vae", "pixelvae_pp"),
)


def stepped(model: str) -> list[str]:
    """The objectives of which a step is taken."""
    return [name for name in ALLOWED[model] if model in WHOLE or name in ("elbo", "sigma_optimal")]


def refusing() -> list[str]:
    """The models whose refusals are tried: one of those that take the same objectives."""
    return list({own: model for model, own in reversed(ALLOWED.items())}.values())


@pytest.mark.parametrize(
    ("model", "objective"), [(name, each) for name in ALLOWED for each in stepped(name)]
)
def test_every_model_takes_a_step_on_each_of_its_objectives(
    model: str, objective: str, compose: Compose, digits: ImageDataModule, fit: Fit
) -> None:
    small = (*TINY, *SMALL.get(model, ()), *AT_ONCE.get(objective, ()))
    config = compose(f"model={model}", f"objective={objective}", *small)
    variant = build_system(config)
    before = {name: value.clone() for name, value in variant.named_parameters()}
    trainer = fit(variant, digits, limit_train_batches=1, limit_val_batches=1)
    assert trainer.callback_metrics["val/loss"].isfinite()
    assert variant.preset == preset_of(model, objective)
    assert all(not value.equal(before[name]) for name, value in variant.named_parameters())


def refusal(model: str, objective: str) -> str:
    """How the message begins."""
    if model == "autoencoder":
        return (
            f"objective={objective} does not take posterior=point, and model={model} takes no other"
        )
    if (model, objective) == ("pixelvae_pp", "mmd"):
        return "prior=boltzmann does not take objective=mmd; it takes objective=elbo"
    if model == "optimal_sigma":
        usual = "unit_gaussian" if objective in BOUNDS else "squared_error"
        return f"model={model} does not take likelihood={usual}; it takes likelihood=sigma_data"
    named = preset_of(model, objective).partition(",")[0]  # as on the command line
    return f"model={model} does not take objective={named}; it takes objective="


@pytest.mark.parametrize("model", refusing())
def test_every_model_refuses_the_other_objectives(model: str, compose: Compose) -> None:
    for objective in names("objective") - set(ALLOWED[model]) - {"rate"}:
        config = compose(f"model={model}", f"objective={objective}", *TINY)
        with pytest.raises(ValueError, match=f"^{refusal(model, objective)}"):
            build_system(config)

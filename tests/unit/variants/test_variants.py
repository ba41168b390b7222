"""Names and paths agree, and everything that can be composed can be built and trained."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from reslag_vae import data as data_room
from reslag_vae import variants
from reslag_vae.objectives import ELBO
from reslag_vae.options.length import settled
from reslag_vae.runs.build import instantiate
from reslag_vae.training.build import build_system
from reslag_vae.training.checks import metric_names
from reslag_vae.training.system import BaseVAE

Compose = Callable[..., DictConfig]

CONF = Path(__file__).parents[3] / "conf"


def names(group: str) -> list[str]:
    """Of the files of a group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


# Second stages, which begin with a run: tests/unit/training/test_second_stage.py
SECOND = {"fitted_prior", "code_prior"}
FIRST = [name for name in names("model") if name not in SECOND]
PARTS = ("network", "posterior", "prior", "likelihood", "objective")
RULES = ("sigma_data", "sigma_fixed", "sigma_learned", "sigma_optimal")
# The ELBO under the likelihood of that name.
PRESETS = [("objective", name) for name in RULES]


def node(group: str, name: str) -> Any:
    """The node that a file fills."""
    config: Any = OmegaConf.load(CONF / group / f"{name}.yaml")
    return config.get(group, config)


# Levels of latents, where there is not one.
LEVELS = {"pixelvae_pp": 3, "vq_vae_2": 2, "ladder_vae": 3, "biva": 3}
# The same by the height of the image.
BY_HEIGHT = {"reslag_deep": {28: 3, 32: 3, 64: 4}, "vdvae": {28: 10, 32: 14, 64: 18}}


@pytest.mark.parametrize("name", names("model"))
def test_the_name_of_a_model_is_its_path(name: str) -> None:
    variant = get_class(node("model", name)._target_)
    assert issubclass(variant, BaseVAE)
    assert variant.name == name
    assert variant.__module__ == f"reslag_vae.variants.{name}"


def test_an_f_vae_of_black_and_white_is_a_vae_with_a_flow(compose: Compose) -> None:
    binary = ("likelihood=bernoulli", "data=binarized_mnist")
    own = compose("model=f_vae", "objective=elbo", *binary)
    other = compose("model=vae", "prior=flow", *binary)
    own.model._target_ = other.model._target_
    assert own.model == other.model


def test_every_variant_has_its_configuration() -> None:
    exported = {getattr(variants, name).name for name in variants.__all__}
    assert exported == set(names("model"))


def files() -> Iterator[tuple[str, str]]:
    """Of the groups whose files name a class of ours."""
    for group in (*PARTS, "schedule", "data", "optimizer"):
        own = (name for name in names(group) if (group, name) not in PRESETS)
        yield from ((group, name) for name in own)


@pytest.mark.parametrize(("group", "name"), list(files()))
def test_a_file_names_a_class_that_has_its_name(group: str, name: str) -> None:
    own = node(group, name)
    if group == "likelihood":
        own = own.get("variance", own)  # a Gaussian is named by its rule
    part = get_class(own.get("_target_", "reslag_vae.training.optimizers.AdamSettings"))
    assert getattr(part, "name", name) == name
    assert part.__module__.startswith("reslag_vae.")
    if group == "data":
        assert getattr(data_room, part.__name__) is part  # wherever its file is


@pytest.mark.parametrize(("group", "name"), PRESETS)
def test_a_preset_is_the_elbo_under_the_likelihood_of_its_name(group: str, name: str) -> None:
    config: Any = OmegaConf.load(CONF / group / f"{name}.yaml")
    assert config.defaults == [{"override /likelihood": name}]
    assert get_class(config[group]._target_) is ELBO


TINY = (
    "data=digits",
    "recipe.channels=[2,4]",
    "recipe.blocks=[1,1]",
    "recipe.residual=true",
    "logger=none",
)


@pytest.mark.parametrize("model", FIRST)
def test_the_objective_of_second_stages_is_refused_and_not_offered(
    model: str, compose: Compose
) -> None:
    with pytest.raises(ValueError, match="objective=rate") as refused:
        build_system(compose(f"model={model}", "objective=rate", *TINY))
    assert "rate" not in str(refused.value).partition("; ")[2]


# One of each size; the others take the models as these do.
SIZES = ("mnist", "cifar10", "celeba")


@pytest.mark.parametrize("data", names("data"))
def test_every_model_is_built_for_every_data_set(
    data: str, compose: Compose, tmp_path: Path
) -> None:
    folder = ("data.folder=pictures",) if data.endswith("_folder") else ()
    if data == "arrays":
        images = np.random.default_rng(0).integers(256, size=(3, 1, 16, 16), dtype=np.uint8)
        np.save(tmp_path / "images.npy", images)
        folder = (f"data.folder={tmp_path}/images.npy", "recipe.image_shape=[1,16,16]")
    for model in FIRST if data in SIZES else ("reslag_light",):
        config = settled(compose(f"model={model}", f"data={data}", *folder), images=100)
        shape = tuple(config.network.image_shape)
        assert instantiate(config.data).image_shape == shape
        # The recipe's own number of stages and blocks, with fewer channels.
        config.recipe.channels = [2 * (i + 1) for i in range(len(config.recipe.channels))]
        variant = build_system(config)
        assert variant.name == model
        assert variant.model.image_shape == shape
        free, coded = "latent_free" in variant.requires, "codes" in variant.requires
        if not coded:
            assert (0 if free else config.recipe.latent_dim) in variant.model.level_dims
        levels = BY_HEIGHT.get(model, {}).get(shape[1]) or LEVELS.get(model, 1)
        assert len(variant.model.level_dims) == levels


@pytest.mark.parametrize("model", FIRST)
def test_what_a_model_logs_is_known_before_it_is_trained(model: str, compose: Compose) -> None:
    variant = build_system(compose(f"model={model}", *TINY)).train()
    before = {name: value.clone() for name, value in variant.state_dict().items()}
    random = torch.get_rng_state()
    assert {"loss", "rec"} <= set(metric_names(variant))
    assert all(torch.equal(value, before[name]) for name, value in variant.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training for module in variant.modules())


def test_the_recipe_of_the_data_set_is_that_of_the_run(compose: Compose) -> None:
    config = compose("model=reslag_light", "data=cifar10")
    assert config.trainer.max_epochs == 40
    assert (config.schedule.epochs, config.schedule.ratio) == (20, 5)
    assert (config.network.latent_dim, config.network.residual) == (100, True)
    assert compose("model=beta_vae", "data=cifar10").objective.beta == 3
    assert compose("model=reslag", "data=mnist").network.residual is False


def test_defaults_of_a_model_give_way_to_the_command_line(compose: Compose) -> None:
    config = compose(
        "model=vae",
        "objective=sigma_optimal",
        "schedule=lagging",
        "optimizer=adam_plateau",
        *TINY[:1],
    )
    model = build_system(config)
    assert (model.preset, model.schedule.name) == ("sigma_optimal", "lagging")
    assert model.optimizer.plateau is not None


def test_residual_connections_are_kept_out_of_small_images_by_the_recipe(compose: Compose) -> None:
    plain = build_system(compose("model=lagging", "data=digits"))
    reslag = build_system(compose("model=reslag", "data=digits"))
    connected = build_system(compose("model=reslag", "data=digits", "recipe.residual=true"))
    sizes = [sum(p.numel() for p in model.parameters()) for model in (plain, reslag, connected)]
    assert sizes[0] == sizes[1] != sizes[2]

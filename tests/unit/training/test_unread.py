"""Which options of the command line a run reads, and what is said of the others."""

from collections.abc import Callable

import pytest
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from reslag_vae._runtime.errors import ConfigError
from reslag_vae._runtime.invocation import configuration_folder
from reslag_vae.training.unread import REFERRED_TO, refuse_unread, unread

Compose = Callable[..., DictConfig]

# Those with a `run` have their parts from it.
MODELS = sorted(
    path.stem
    for path in (configuration_folder() / "model").glob("*.yaml")
    if "\nrun:" not in path.read_text()
)
MARK = "that is set on the command line"


def is_resolved_with(config: DictConfig, marked: str) -> bool:
    """Whether what a run is built from holds the value of an option, or cannot do without it.

    Args:
        config: composed configuration, with its references.
        marked: the option, or the group.
    """
    changed = config.copy()
    with open_dict(changed):
        OmegaConf.update(changed, marked, MARK, merge=False)
    try:
        OmegaConf.resolve(changed.model)
        OmegaConf.resolve(changed.trainer)
    except (OmegaConfBaseException, ValueError, TypeError):
        return True
    return MARK in str(changed.model) + str(changed.trainer)


@pytest.mark.parametrize(
    ("model", "data"),
    [*((model, "digits") for model in MODELS), ("reslag", "image_folder"), ("vae", "arrays")],
)
def test_an_option_is_refused_where_no_run_is_built_from_it(
    model: str, data: str, compose: Compose
) -> None:
    config = compose(f"model={model}", f"data={data}")
    # Updates, of which epochs are computed, are another test's.
    recipe = [f"recipe.{name}" for name in config.recipe if "updates" not in name]
    for name in (*REFERRED_TO[:-1], *recipe):
        refused = list(unread(config, [f"{name}=x"], model))
        assert bool(refused) != is_resolved_with(config, name), name


@pytest.mark.parametrize(
    ("model", "override", "said"),
    [
        ("pixelcnn", "network=linear", "since model=pixelcnn takes no network; leave it out."),
        ("pixelcnn", "+network.kernel=3", "since model=pixelcnn takes no network; leave it out."),
        ("biva", "condition=label", "since model=biva takes no condition; leave it out."),
        ("vae", "recipe.beta=4", "since nothing of this run reads it; objective=beta would."),
        ("vae", "recipe.ratio=4", "since nothing of this run reads it; schedule=lagging would."),
        ("pixelcnn", "recipe.latent_dim=4", "since nothing of this run reads it."),
    ],
)
def test_what_has_no_effect_is_refused_in_a_sentence(
    model: str, override: str, said: str, compose: Compose
) -> None:
    config = compose(f"model={model}", "data=digits")
    with pytest.raises(ConfigError) as refused:
        refuse_unread(config, ["data=digits", override], model)
    assert str(refused.value) == f"{override}: has no effect, {said}"


def test_a_length_in_updates_is_read_once_the_data_are(compose: Compose) -> None:
    words = ["recipe.updates=20", "recipe.aggressive_updates=10"]
    lagging, joint = (
        compose(f"model={model}", "data=image_folder") for model in ("lagging", "vae")
    )
    assert list(unread(lagging, words, "lagging")) == []
    [refused] = unread(joint, words, "vae")
    assert refused.startswith("recipe.aggressive_updates=10: has no effect")


def test_what_another_part_reads_is_not_refused(compose: Compose) -> None:
    words = [
        "objective=beta",
        "recipe.beta=4",
        "recipe.max_epochs=3",
        "likelihood.variance.decay=0.5",
        "network.channels=[4,8]",
        "seed=3",
    ]
    config = compose("model=beta_vae", "data=digits", *words[:2])
    assert list(unread(config, words, "beta_vae")) == []

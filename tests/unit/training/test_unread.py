"""Which options of the command line a run reads, and what is said of the others."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from reslag_vae._runtime.errors import ConfigError
from reslag_vae._runtime.invocation import configuration_folder
from reslag_vae.training.unread import REFERRED_TO, refuse_unread, unread

Compose = Callable[..., DictConfig]

FILES = {path.stem: path.read_text() for path in (configuration_folder() / "model").glob("*.yaml")}
# Those with a `run` have their parts from it.
MODELS = sorted(name for name, text in FILES.items() if "\nrun:" not in text)

# Values that no data set's recipe has.
OTHERS: dict[str, Any] = {
    "image_shape": [1, 12, 12],
    "latent_dim": 77,
    "channels": [77, 78],
    "blocks": [7, 8],
    "max_epochs": 77,
    "aggressive_epochs": 3,
    "ratio": 77,
    "beta": 7.5,
    "learning_rate": 0.0077,
    "pixels": "other",
}


def built_from(config: DictConfig) -> Any:
    """What the model and the trainer are built from."""
    return [OmegaConf.to_container(config[node], resolve=True) for node in ("model", "trainer")]


@pytest.mark.parametrize("model", MODELS)
def test_a_part_is_refused_that_a_model_does_not_take(model: str, compose: Compose) -> None:
    config = compose(f"model={model}", "data=digits")
    for group in REFERRED_TO[:-1]:
        takes = f"${{{group}}}" in FILES[model]
        for override in (f"{group}=x", f"+{group}@here=x", f"~{group}"):
            sentences = list(unread(config, [override], model))
            said = f"{override}: has no effect, since model={model} takes no {group}; leave it out."
            is_told = not takes and group != "condition"
            assert sentences == ([said] if is_told else []), override


@pytest.mark.parametrize(
    ("model", "data"),
    # The length of pictures is counted once they are read, whatever the model.
    [*((model, "digits") for model in MODELS), ("lagging", "image_folder")],
)
def test_a_recipe_is_refused_that_changes_nothing(model: str, data: str, compose: Compose) -> None:
    config = compose(f"model={model}", f"data={data}", "recipe.image_shape=[1,8,8]")
    before = built_from(config)
    for name in config.recipe:
        if "updates" in str(name):
            continue  # of which epochs are counted once the data are read
        other = OTHERS.get(str(name), not config.recipe[name])
        changed = copy.deepcopy(config)
        OmegaConf.update(changed, f"recipe.{name}", other, merge=False, force_add=True)
        changes = built_from(changed) != before
        refused = list(unread(config, [f"recipe.{name}=x"], model))
        assert bool(refused) != changes, name


@pytest.mark.parametrize(
    ("model", "override", "said"),
    [
        ("pixelcnn", "network=linear", "since model=pixelcnn takes no network; leave it out."),
        (
            "pixelcnn",
            "network.channels=[3]",
            "since model=pixelcnn takes no network; leave it out.",
        ),
        ("vae", "recipe.beta=4", "since nothing of this run reads it."),
        (None, "network=linear", "since the model was made by hand; leave it out."),
    ],
)
def test_what_has_no_effect_is_refused_in_a_sentence(
    model: str | None, override: str, said: str, compose: Compose
) -> None:
    config = compose(f"model={model or 'pixelcnn'}", "data=digits")
    with pytest.raises(ConfigError) as refused:
        refuse_unread(config, ["data=digits", override], model)
    assert str(refused.value) == f"{override}: has no effect, {said}"


@pytest.mark.parametrize(
    ("override", "beside", "reading"),
    [
        ("schedule.patience=3", "schedule.until=epochs", "schedule.until=mutual_information"),
        ("schedule.batches=same", "schedule.ratio=adaptive", "schedule.ratio=3"),
    ],
)
def test_what_another_option_makes_useless_is_refused(
    override: str, beside: str, reading: str, compose: Compose
) -> None:
    config = compose("model=lagging", "data=digits", override, beside)
    (said,) = unread(config, [override, beside], "lagging")
    assert said == f"{override}: has no effect, since {beside} does not read it; leave it out."
    config = compose("model=lagging", "data=digits", override, reading)
    assert list(unread(config, [override, reading], "lagging")) == []


@pytest.mark.parametrize(
    "reference",
    [
        "${recipe.beta}",
        "${recipe[beta]}",
        "${..recipe.beta}",
        "${ recipe.beta }",
        "${oc.select:'recipe.beta',4}",
        "${oc.decode:${recipe.beta}}",
    ],
)
def test_an_option_is_read_however_it_is_referred_to(reference: str, compose: Compose) -> None:
    config = compose("model=beta_vae", "data=digits")
    config.objective.beta = reference
    assert list(unread(config, ["recipe.beta=3"], "beta_vae")) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["model=lagging"], []),
        (["model=vae"], ["aggressive_updates"]),
        (["model=vae", "trainer.max_epochs=5"], ["updates", "aggressive_updates"]),
        (["model=lagging", "trainer.max_epochs=5"], []),
        (["model=lagging", "recipe.aggressive_epochs=3"], ["aggressive_updates"]),
        (["model=vae", "recipe.max_epochs=7"], ["updates", "aggressive_updates"]),
    ],
)
def test_updates_are_read_where_epochs_are_counted_by_them(
    words: list[str], told: list[str], compose: Compose
) -> None:
    counts = ["recipe.updates=20", "recipe.aggressive_updates=10"]
    config = compose("data=image_folder", *words, *counts)
    sentences = list(unread(config, counts, "x"))
    assert [re.split(r"[.=]", own)[1] for own in sentences] == told


def test_what_is_no_option_is_left_to_the_check_of_options(compose: Compose) -> None:
    config = compose("model=vae", "data=digits", "+recipe.latent_dims=4")
    assert list(unread(config, ["+recipe.latent_dims=4", "+network.foo=3"], "vae")) == []


def test_what_another_part_reads_is_not_refused(compose: Compose) -> None:
    words = ["recipe.max_epochs=3", "likelihood.variance.decay=0.5", "network.channels=[4,8]"]
    config = compose("model=lagging", "data=digits", "objective=sigma_optimal")
    assert list(unread(config, [*words, "seed=3", "trainer.devices=1"], "lagging")) == []

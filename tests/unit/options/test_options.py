"""A fuzz over every option: accepted, or one sentence that names it; never a stack of calls."""

import copy
import functools
import inspect
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from lightning import Trainer
from omegaconf import DictConfig, OmegaConf

from reslag_vae import options
from reslag_vae._runtime.errors import ConfigError
from reslag_vae.evaluation.main import device_named
from reslag_vae.options import (
    REFUSED,
    TRAIN,
    TRAINER,
    check,
    check_evaluation,
    check_tree,
    did_you_mean,
)
from reslag_vae.options.length import settled
from reslag_vae.options.renamed import RENAMED
from reslag_vae.options.resolution import resolved
from reslag_vae.options.suggestions import nearest
from reslag_vae.training.build import build
from tests.running import ROOT

Compose = Callable[..., DictConfig]

VALUES: list[Any] = [
    -1,
    0,
    1,
    2,
    0.5,
    1e3,
    1e-45,
    1e300,
    float("nan"),
    float("inf"),
    -float("inf"),
    True,
    False,
    None,
    "",
    "abc",
    "1",
    "-1e3",
    "ünïcode ☃",
    "a\x1b[2J\nb",
    "x" * 5000,
    [],
    [1],
    [1, -2],
    [1.5, None],
    [[1]],
    {},
    {"a": 1},
    2**32,
    2**64,
    10**12,
]
CONFIGURATIONS = {
    "reslag_light": ("model=reslag_light", "data=digits", "objective=sigma_optimal"),
    "mmd": ("model=mmd_infovae", "data=digits"),
    "capacity": ("model=beta_vae", "data=digits", "objective=capacity"),
    "fixed": (
        "model=optimal_sigma",
        "data=image_folder",
        "objective=sigma_fixed",
        "data.folder=pictures",
    ),
    "celeba": ("model=lagging", "data=celeba", "objective=sigma_learned"),
    "binary": ("model=vae", "data=binarized_mnist", "likelihood=bernoulli", "prior=mixture"),
    "flow": ("model=vae", "data=digits", "prior=flow"),
    "vamp": ("model=vae", "data=digits", "prior=vamp"),
    "two_stage": ("model=vae", "data=digits", "prior=two_stage"),
}
# Groups without a choice, and what a part looks at itself.
UNLISTED = ("condition", "optimizer.plateau", "experiment", "prior.components")
SMALL = ("recipe.channels=[2,2]", "recipe.blocks=[1,1]", "recipe.latent_dim=2", "logger=none")


def names(tree: Any, path: str = "") -> Iterator[str]:
    """Dotted names of all options, but those of the model's own copy and of classes."""
    for name, value in tree.items():
        dotted = f"{path}.{name}" if path else str(name)
        if dotted == "model" or str(name).startswith("_"):
            continue
        if isinstance(value, dict) and value:
            yield from names(value, dotted)
        else:
            yield dotted


def outcome(attempt: Callable[[], object], name: str, value: Any) -> str:
    """What comes of a value: `accepted` or `one sentence`. Anything else fails the test."""
    try:
        attempt()
    except ConfigError as error:
        message = str(error)
        assert "\n" not in message, f"{name}={value!r}: {message}"
        assert name.rpartition(".")[2] in message or name.partition(".")[0] in message, (
            f"{name}={value!r}: {message}"
        )
        assert len(message) < 500, f"{name}={value!r}: {message}"
        return "one sentence"
    return "accepted"


@pytest.mark.parametrize("chosen", CONFIGURATIONS)
def test_every_option_of_training_takes_a_value_or_says_why_not(
    chosen: str, compose: Compose, tmp_path: Path
) -> None:
    base = resolved(settled(compose(*CONFIGURATIONS[chosen], *SMALL), images=100))
    found: Counter[str] = Counter()

    def attempt(name: str, value: Any) -> None:
        tree = copy.deepcopy(base)
        *groups, last = name.split(".")
        functools.reduce(lambda node, group: node[group], groups, tree)[last] = value
        check_tree(tree)
        for part in ("network", "posterior", "prior", "likelihood"):
            tree["model"]["model"][part] = tree[part]
        for part in ("objective", "schedule", "optimizer"):
            tree["model"][part] = tree[part]
        build(OmegaConf.create(tree), tmp_path / "run")

    # What all configurations have is tried with the first alone.
    first = next(iter(CONFIGURATIONS))
    common = (
        set() if chosen == first else set(names(resolved(compose(*CONFIGURATIONS[first], *SMALL))))
    )
    for name in names(base):
        for value in VALUES if name not in common else ():
            found[outcome(partial(attempt, name, value), name, value)] += 1
    print(f"{chosen}: {sum(found.values())} values tried, {dict(found)}")
    assert found["one sentence"] > 20
    assert found["accepted"] > 0
    assert not (tmp_path / "run").exists(), "something was written"


def test_every_option_of_evaluation_takes_a_value_or_says_why_not(compose: Compose) -> None:
    base = compose("run=x", "logger=none", script="evaluate")
    found: Counter[str] = Counter()

    def attempt(name: str, value: Any) -> None:
        config = OmegaConf.create(OmegaConf.to_container(base))
        OmegaConf.update(config, name, value, merge=False)
        check_evaluation(config)
        device_named(config.device)

    for name in names(OmegaConf.to_container(base, resolve=False)):
        for value in VALUES:
            found[outcome(partial(attempt, name, value), name, value)] += 1
    print(f"evaluate: {sum(found.values())} values tried, {dict(found)}")
    assert found["one sentence"] > 200


def test_every_option_is_in_the_table(compose: Compose) -> None:
    for chosen in CONFIGURATIONS.values():
        for name in names(OmegaConf.to_container(compose(*chosen))):
            assert name in TRAIN or name in UNLISTED, name


def test_every_option_of_lightnings_trainer_is_ours_allowed_or_refused() -> None:
    known = {name.removeprefix("trainer.") for name in TRAIN if name.startswith("trainer.")} - {
        "compile"
    }
    theirs = set(inspect.signature(Trainer.__init__).parameters) - {"self"}
    assert theirs <= known | TRAINER.keys() | REFUSED.keys(), (
        theirs - known - TRAINER.keys() - REFUSED.keys()
    )
    assert not TRAINER.keys() & REFUSED.keys()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed=-1", r"^seed=-1: must be a whole number from 0 to 4294967295\.$"),
        ("seed=null", "^seed=null: must be"),
        ("seed=4294967296", "^seed=4294967296: must be"),
        ("data.seed=true", r"^data\.seed=true: must be"),
        ("monitor=val/los", "^monitor=val/los: there is no such metric; did you mean val/loss"),
        ("monitor=[a]", "^monitor="),
        ("monitor=val/elbo", "^monitor=val/elbo: .*val/bits_per_dim, the same"),
        ("monitor=train/elbo", "^monitor=train/elbo: .*train/bits_per_dim, the same"),
        ("monitor=val/kl", "^monitor=val/kl: .*smallest value is kept"),
        ("monitor=val/kl_level_1", "^monitor=val/kl_level_1: .*smallest value is kept"),
        ("monitor=val/kl_level_12", "^monitor=val/kl_level_12: .*smallest value is kept"),
        ("monitor=val/kl_level_0", "^monitor=val/kl_level_0: there is no such metric"),
        ("monitor=train/kl_level_1", "^monitor=train/kl_level_1: there is no such metric"),
        ("monitor=val/perplexity_top", "^monitor=val/perplexity_top: .*a large one is good"),
        ("monitor=val/active_units", "^monitor=val/active_units: .*a large one is good"),
        (
            "callbacks.checkpoint.monitor=val/active_units",
            r"^callbacks\.checkpoint\.monitor=val/active_units: .*a large one is good",
        ),
        (
            "callbacks.checkpoint.monitor=val/los",
            r"^callbacks\.checkpoint\.monitor=val/los: there is no such metric; did you mean",
        ),
        (
            "+callbacks.early_stopping={_target_:reslag_vae.training.callbacks.EarlyStopping,"
            "monitor:val/elbo}",
            r"^callbacks\.early_stopping\.monitor=val/elbo: .*val/bits_per_dim, the same",
        ),
        ("likelihood.variance.decay=1", r"^likelihood\.variance\.decay=1: must be"),
        ("logger.group=''", r"^logger\.group=: must be a text of 1 to 128 characters, or null"),
        ("logger.mode=nope", r"^logger\.mode=nope: must be one of auto, online, offline"),
        ("optimizer.plateau=0.5", r"^optimizer\.plateau=0\.5: must be null; .*adam_plateau"),
        ("optimizer.skip_above=1", r"^optimizer\.skip_above=1: must be a number above 1 and"),
        ("optimizer.skip_above=true", r"^optimizer\.skip_above=true: must be"),
        ("optimizer.lr=1e-45", r"^optimizer\.lr=1e-45: must be"),
        (
            "+optimizer.lrr=1",
            r"^optimizer\.lrr=1: there is no such option; did you mean optimizer\.lr",
        ),
        ("network.residual=1e18", r"^network\.residual=1e\+18: must be true or false"),
        ("+trainer.limit_test_batches=0", r"^trainer\.limit_test_batches=0: has no effect"),
        ("+trainer.callbacks=[]", r"^trainer\.callbacks=\[\]: has no effect"),
        ("+trainer.limit_train_batchs=2", "did you mean trainer.limit_train_batches"),
        ("+trainer.min_epochs=99", r"^trainer\.min_epochs=99: must be at most trainer\.max_epochs"),
        ("+trainer.max_time=00:00:00:00", r"^trainer\.max_time=00:00:00:00: must be days:hours"),
        ("+trainer.max_time=5", r"^trainer\.max_time=5: must be days:hours"),
        ("+trainer.foo=1", r"^trainer\.foo=1: there is no such option\.$"),
        ("callbacks.images.every=0", r"^callbacks\.images\.every=0"),
        ("callbacks.checkpoint=null", r"^callbacks\.checkpoint=null"),
        ("+callbacks.mine={a:1}", r"^callbacks\.mine=.*_target_"),
        ("~likelihood", r"^likelihood=null: a run needs it; choose one by likelihood=name\.$"),
        ("~data", r"^data=null: a run needs it; choose one by data=name\.$"),
        (
            "data.root=${nothing}",
            r"^data\.root: is that of nothing, and there is no such",
        ),
        ("changed_data=perhaps", r"^changed_data=perhaps: must be one of refuse, accept"),
        ("recipe.latent_dim=abc", r"^recipe\.latent_dim=abc: must be"),
        ("recipe.channels=[2]", r"^recipe\.channels=\[2\] and recipe\.blocks="),
    ],
)
def test_a_slip_is_one_sentence(override: str, message: str, compose: Compose) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        check(compose("model=reslag_light", "data=digits", override))
    assert "\n" not in str(error.value)


def test_a_missing_folder_is_asked_for(compose: Compose) -> None:
    with pytest.raises(
        ConfigError, match=r"^data=image_folder needs data\.folder=/folder/of/pictures\.$"
    ):
        check(compose("data=image_folder"))
    with pytest.raises(ConfigError, match=r"^This command needs run="):
        check_evaluation(compose(script="evaluate"))


def test_what_is_accepted(compose: Compose) -> None:
    """What a user may add, and parts of the user's own, whose options are theirs."""
    for override in (
        "+trainer.limit_train_batches=3",
        "+trainer.limit_train_batches=0.5",
        "+trainer.deterministic=true",
        "callbacks.images=null",
        "+callbacks.mine={_target_: mymodels.Watch, often: yes}",
        "+callbacks.stop={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/elbo, "
        "mode: max}",
        "data._target_=mymodels.MyData",
        "+trainer.strategy=null",
        "trainer.devices=[0,1]",
        "trainer.devices=auto",
        "trainer.precision=32",
    ):
        check(compose("model=vae", "data=digits", override))
    own = compose("model=vae", "data=digits", "data._target_=mymodels.MyData", "+data.resolution=5")
    check(own)


def test_the_plateau_rule_must_be_able_to_hold(compose: Compose) -> None:
    with pytest.raises(
        ConfigError, match=r"plateau\.stop_below=1000: must be a number from 0 to 10"
    ):
        check(compose("model=beta_vae", "data=digits", "optimizer.plateau.stop_below=1000"))
    with pytest.raises(
        ConfigError, match=r"plateau\.stop_below=1: must be below optimizer\.lr=0\.002"
    ):
        check(compose("model=beta_vae", "data=digits", "optimizer.plateau.stop_below=1"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("batch_size", "data.batch_size"),
        ("trainer.max_epoch", "trainer.max_epochs"),
        ("lr", "optimizer.lr"),
        ("trainer.limit_train_batch", "trainer.limit_train_batches"),
        ("latent_dim", "recipe.latent_dim"),
        ("epochs", "trainer.max_epochs"),
        ("trainer.epochs", "trainer.max_epochs"),
        ("max_epochs", "trainer.max_epochs"),
        ("Data.Batch_Size", "data.batch_size"),
    ],
)
def test_the_nearest_name_is_offered(name: str, meant: str) -> None:
    assert did_you_mean(name) == f"; did you mean {meant}"
    assert did_you_mean("zzzzzz") == ""


def test_two_letters_that_have_changed_places_are_found_in_a_short_name() -> None:
    assert nearest("vea", ["beta_vae", "vdvae", "vae"]) == "vae"
    assert nearest("veb", ["beta_vae", "vdvae", "vae"]) is None
    assert nearest("FashionMNIST", ["fashion_mnist", "mnist"]) == "fashion_mnist"
    assert nearest("VAE", ["beta_vae", "vdvae", "vae"]) == "vae"
    assert nearest("MyDat", ["mydata", "MyData"]) == "MyData"


@pytest.mark.parametrize(
    ("argument", "today"),
    [
        ("objective.decay=0.5", "likelihood.variance.decay=0.5"),
        ("objective.granularity=pixel,channel", "likelihood.variance.granularity=pixel,channel"),
        ("objective.image_shape=[1,8,8]", "likelihood.variance.image_shape=[1,8,8]"),
        ("++objective.sigma2=0.1", "++likelihood.variance.sigma2=0.1"),
        ("~objective.decay", "~likelihood.variance.decay"),
        ("objective.beta=2,4", "objective.beta=2,4"),
        ("objective", "objective"),
        ("data.folder='/p/objective.decay=1'", "data.folder='/p/objective.decay=1'"),
        ("--config-dir=objective.decay", "--config-dir=objective.decay"),
        ("+", "+"),
        ("", ""),
    ],
)
def test_a_command_of_version_0_1_has_todays_names(argument: str, today: str) -> None:
    assert options.renamed([argument]) == [today]
    chosen = "objective=sigma_optimal"
    assert options.renamed([chosen, argument, "seed=1"]) == [chosen, today, "seed=1"]


def test_another_objective_has_options_of_its_own() -> None:
    command = ["objective=mine", "objective.decay=0.5"]
    assert options.renamed(command) == command


@pytest.mark.parametrize("name", RENAMED)
def test_a_file_with_an_option_of_version_0_1_is_told_its_name_of_today(
    name: str, compose: Compose
) -> None:
    today = compose("objective=sigma_optimal")
    OmegaConf.update(today, name, 0.5, force_add=True)
    message = f"^{name}=0.5: is called {RENAMED[name]} now.$"
    with pytest.raises(ConfigError, match=message):
        check(today)


def test_an_objective_of_the_users_own_has_the_options_that_it_wants(compose: Compose) -> None:
    mine = compose("objective=sigma_optimal")
    node = {"_target_": "mine.Objective", "decay": 0.5}
    OmegaConf.update(mine, "objective", node, merge=False)
    check(mine)


def test_the_checks_load_no_pytorch() -> None:
    modules = (
        "reslag_vae.cli, reslag_vae.options, reslag_vae.training.job, "
        "reslag_vae.training.job_folder"
    )
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=os.environ)


def test_the_bounds_of_a_network_are_those_of_memory(compose: Compose) -> None:
    config = compose(
        "model=vae", "data=digits", "recipe.channels=[8192,8192]", "recipe.blocks=[100,100]"
    )
    options.check(config)
    with pytest.raises(
        ConfigError, match=r"network\.channels=.*a network of more than 1,073,741,824 weights"
    ):
        build(config, Path("unused"))

"""The length of a run in updates, as epochs of the data that it has."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.options import check
from reslag_vae.options.length import as_begun, at_most_half, is_open, settled
from reslag_vae.runs.build import instantiate
from reslag_vae.runs.errors import RunError
from reslag_vae.training.build import build
from reslag_vae.training.resume import resumed
from reslag_vae.training.stored_config import save_config
from reslag_vae.training.study_job import check_same_settings
from tests.running import ROOT

Compose = Callable[..., DictConfig]
OWN = (
    "data=image_folder",
    "data.folder=pictures",
    "model=lagging",
    "logger=none",
    "recipe.updates=10000",
    "recipe.aggressive_updates=5000",
)


@pytest.mark.parametrize(
    ("words", "images", "passes", "epochs", "aggressive"),
    [
        # 9 minibatches of 32: 28 passes are 252 updates
        ((), 285, 28, 40, 20),
        ((), 1, 250, 40, 20),
        # 250 minibatches
        ((), 8000, 1, 40, 20),
        # 1,563 minibatches
        ((), 50_000, 1, 7, 4),
        ((), 200_000, 1, 5, 2),
        (("recipe.updates=100", "recipe.aggressive_updates=10"), 285, 1, 12, 1),
        (("data.batch_size=285",), 285, 250, 40, 20),
        # What is said wins.
        (("trainer.max_epochs=3",), 285, 1, 3, 2),
        (("recipe.max_epochs=8",), 285, 1, 8, 4),
        (("recipe.aggressive_epochs=1",), 285, 28, 40, 1),
        (("data.passes=2",), 285, 2, 556, 278),
        (("trainer.max_epochs=3", "data.passes=2"), 285, 2, 3, 2),
    ],
)
def test_updates_become_epochs(
    words: tuple[str, ...],
    images: int,
    passes: int,
    epochs: int,
    aggressive: int,
    compose: Compose,
) -> None:
    config = compose(*OWN, *words)
    assert is_open(config)
    found = settled(config, images)
    assert is_open(config), "the configuration itself was changed"
    assert not is_open(found)
    assert (found.data.passes, found.trainer.max_epochs) == (passes, epochs)
    assert found.model.schedule.epochs == aggressive
    check(found)


@pytest.mark.parametrize("model", ["lagging", "vae"])
@pytest.mark.parametrize(("updates", "aggressive"), [(20, 2), (3000, 300), (9, 0)])
def test_a_tenth_of_the_updates_is_aggressive_unless_another_number_is_said(
    model: str, updates: int, aggressive: int, compose: Compose
) -> None:
    config = compose(*OWN[:2], f"model={model}", "logger=none", f"recipe.updates={updates}")
    assert settled(config, 285).recipe.aggressive_updates == aggressive
    check(config)


def test_a_length_in_epochs_is_left_alone(compose: Compose) -> None:
    config = compose("data=digits", "model=lagging")
    assert settled(config, 285) is config
    with pytest.raises(ConfigError, match=r"^trainer\.max_epochs=null: must be"):
        check(compose("data=digits", "trainer.max_epochs=null"))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("recipe.updates=0", "recipe.updates=0: must be"),
        ("recipe.aggressive_updates=20000", "must be at most recipe.updates=10000"),
        ("trainer.max_epochs=many", "trainer.max_epochs=many: must be"),
        ("data.batch_size=0", "data.batch_size=0: must be"),
    ],
)
def test_what_no_length_can_be_made_of_is_refused(word: str, said: str, compose: Compose) -> None:
    with pytest.raises(ConfigError, match=said):
        check(compose(*OWN, word))


def test_a_study_goes_on_with_the_length_that_the_data_gave(
    compose: Compose, tmp_path: Path
) -> None:
    config = compose(*OWN)
    begun = settled(config, 285)
    save_config(begun, tmp_path)
    check_same_settings(config, tmp_path)
    assert as_begun(config, begun).trainer.max_epochs == 40
    with pytest.raises(RunError, match=r"recipe\.updates=10000, and recipe\.updates=500 is asked"):
        check_same_settings(
            compose(*OWN, "recipe.updates=500", "recipe.aggressive_updates=0"), tmp_path
        )


@pytest.mark.parametrize(
    ("epochs", "of_run", "left"),
    [
        (20, 40, 20),
        (20, 60, 20),
        (20, 39, 20),
        (20, 38, 19),
        (20, 5, 3),
        (20, 1, 1),
        (0, 5, 0),
        # Of no number of epochs there is no half: the check of the options says what is wrong.
        (20, None, 20),
        (20, -1, 20),
        (20, "many", 20),
        (1.5, 2, 1.5),
    ],
)
def test_a_phase_has_at_most_half_of_the_run(epochs: object, of_run: object, left: object) -> None:
    assert at_most_half(epochs, of_run) == left


@pytest.mark.parametrize("epochs", [1, 5])
@pytest.mark.parametrize("data", sorted(path.stem for path in (ROOT / "conf/data").glob("*.yaml")))
def test_a_short_run_shortens_the_aggressive_phase_of_any_data(
    data: str, epochs: int, compose: Compose
) -> None:
    words = (f"data={data}", f"trainer.max_epochs={epochs}", "model=lagging")
    schedule = instantiate(settled(compose(*words), 1000).model.schedule)
    schedule.check_length(epochs)
    assert 0 <= schedule.aggressive_epochs(epochs) <= (epochs + 1) // 2


@pytest.mark.parametrize("epochs", [1, 5])
@pytest.mark.parametrize(
    "objective", sorted(path.stem for path in (ROOT / "conf/objective").glob("*.yaml"))
)
def test_a_short_run_shortens_the_rise_of_any_objective(
    objective: str, epochs: int, compose: Compose
) -> None:
    config = compose("model=beta_vae", f"objective={objective}", f"trainer.max_epochs={epochs}")
    instantiate(config.objective).check_length(epochs)
    assert config.objective.get("epochs", 0) <= (epochs + 1) // 2


def test_a_phase_that_is_asked_for_is_not_shortened(compose: Compose, tmp_path: Path) -> None:
    for word in ("schedule.epochs=20", "recipe.aggressive_epochs=20"):
        config = compose("data=cifar10", "model=lagging", "trainer.max_epochs=5", word)
        with pytest.raises(ConfigError, match=r"schedule.epochs=20: .* longer than the run"):
            build(config, tmp_path)


def test_a_short_run_that_goes_on_longer_keeps_its_phase(compose: Compose, tmp_path: Path) -> None:
    save_config(compose("data=mnist", "model=lagging", "trainer.max_epochs=5"), tmp_path)
    longer = resumed(tmp_path, ["trainer.max_epochs=40"])
    assert (longer.trainer.max_epochs, longer.model.schedule.epochs) == (40, 3)

"""Which configuration a job runs with."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from reslag_vae import configs
from reslag_vae.runs import RunError

Compose = Callable[..., DictConfig]


@pytest.fixture
def folder(compose: Compose, tmp_path: Path) -> Path:
    """Of a run of the lagging VAE on digits."""
    configs.save(compose("model=lagging", "data=digits", "logger=none", "seed=3"), tmp_path / "run")
    return tmp_path / "run"


def test_a_saved_configuration_has_no_references_left(folder: Path) -> None:
    text = (folder / "config.yaml").read_text()
    assert "${" not in text
    config = OmegaConf.create(text)
    assert config.network.latent_dim == config.model.network.latent_dim == 5
    assert config.seed == config.data.seed == config.callbacks.seed.seed == 3
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_a_resumed_run_keeps_its_configuration(folder: Path) -> None:
    config = configs.resumed(folder, [f"resume={folder}"])
    assert config == OmegaConf.load(folder / "config.yaml")


def test_where_and_how_long_a_resumed_run_runs_may_change(folder: Path) -> None:
    before = configs.resumed(folder, [])
    config = configs.resumed(folder, [f"resume={folder}", "trainer.max_epochs=99", "data.root=/elsewhere"])
    assert (config.trainer.max_epochs, config.data.root) == (99, "/elsewhere")
    config.trainer.max_epochs, config.data.root = before.trainer.max_epochs, before.data.root
    assert config == before


@pytest.mark.parametrize("override", ["seed=4", "model=vae", "data.batch_size=64", "objective=elbo", "data=mnist"])
def test_what_would_make_it_another_run_is_refused(override: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be set beside resume=.*may change") as error:
        configs.resumed(folder, [f"resume={folder}", override, "trainer.devices=1"])
    assert override in str(error.value)
    assert "trainer.devices" not in str(error.value)


def test_an_unknown_option_of_a_resumed_run_is_refused(folder: Path) -> None:
    with pytest.raises(OmegaConfBaseException, match="max_epoch"):
        configs.resumed(folder, ["trainer.max_epoch=99"])


def test_a_folder_that_is_no_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not the folder of a run"):
        configs.resumed(tmp_path, [])
    with pytest.raises(RunError, match="is not the folder of a run"):
        configs.run_folder(str(tmp_path / "nothing"), "runs/new")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_that_of_the_run_to_resume_or_a_new_one(folder: Path) -> None:
    assert configs.run_folder(None, "runs/new") == "runs/new"
    assert configs.run_folder(str(folder), "runs/new") == str(folder)

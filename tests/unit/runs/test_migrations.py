"""Runs of version 0.1 are read with today's names."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

import reslag_vae
from reslag_vae.runs.build import build_model
from reslag_vae.runs.config import RUN_MODULES, RUN_TARGETS, foreign_target, read_config, targets_of
from reslag_vae.runs.load import read_run
from reslag_vae.runs.migrations import MOVED, migrated
from reslag_vae.training.job import resumed

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
COMMITTED = sorted(path.parent for path in EXPERIMENTS.rglob("config.yaml"))
SMALL = ("data=digits", "recipe.channels=[2,4]", "recipe.blocks=[1,1]", "logger=none")


def earlier(tree: Any) -> Any:
    """A configuration as version 0.1 wrote it."""
    if isinstance(tree, dict):
        return {name: earlier(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [earlier(value) for value in tree]
    for old, new in MOVED.items() if isinstance(tree, str) else ():
        if tree.rpartition(".")[0] == new:
            return tree.replace(new, old)
    return tree


def test_committed_runs_of_version_0_1_are_made_of_todays_parts() -> None:
    assert any("reslag_vae.models." in (folder / "config.yaml").read_text() for folder in COMMITTED)
    for folder in COMMITTED:
        assert foreign_target(read_config(folder), RUN_MODULES, others=RUN_TARGETS) is None


@pytest.mark.parametrize("model", ["vae", "lagging", "reslag_light"])
def test_a_checkpoint_of_version_0_1_loads(model: str, compose: Any, tmp_path: Path) -> None:
    config: DictConfig = compose(f"model={model}", *SMALL, "recipe.residual=true")
    node: Any = OmegaConf.to_container(config.model, resolve=True)
    old = earlier(node)
    assert any(target.startswith("reslag_vae.models.") for target in targets_of(old))
    assert migrated(old) == node
    built = build_model(config)
    path = tmp_path / "best.ckpt"
    torch.save({"hyper_parameters": {"model": old}, "state_dict": dict(built.state_dict())}, path)
    loaded = reslag_vae.load(path)
    assert type(loaded) is type(built)
    assert all(
        torch.equal(value, built.state_dict()[name]) for name, value in loaded.state_dict().items()
    )


def test_names_of_others_stay() -> None:
    tree = {
        "_target_": "mymodels.VAE",
        "a": [{"_target_": "lightning.Trainer", "b": "reslag_vae.models.VAE"}],
        "c": 1,
    }
    assert migrated(tree) == tree


def test_a_run_of_version_0_1_goes_on_and_is_evaluated(
    compose: Any, train: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    train(compose("model=vae", *SMALL, "trainer.max_epochs=1", "callbacks.images=null"), folder)
    tree: Any = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    OmegaConf.save(OmegaConf.create(earlier(tree)), folder / "config.yaml")
    assert "reslag_vae.models.VAE" in (folder / "config.yaml").read_text()
    for path in (folder / "checkpoints").glob("*.ckpt"):
        checkpoint = torch.load(path, weights_only=True)
        checkpoint["hyper_parameters"]["model"] = earlier(checkpoint["hyper_parameters"]["model"])
        torch.save(checkpoint, path)
    assert read_run(folder).epoch == 1
    train(resumed(folder, ["trainer.max_epochs=2"]), folder)
    assert read_run(folder, "last").epoch == 2

"""Runs of version 0.1 are read, evaluated and gone on with: `version_0_1` holds some as it left them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

import reslag_vae
from reslag_vae.evaluation.epoch import evaluate
from reslag_vae.runs.checkpoints import read_checkpoint
from reslag_vae.runs.config import RUN_MODULES, RUN_TARGETS, foreign_target, read_config
from reslag_vae.runs.data import load_data
from reslag_vae.runs.differences import material_differences
from reslag_vae.runs.folder import RunError
from reslag_vae.runs.load import read_run
from reslag_vae.runs.migrations import migrated_checkpoint, migrated_model
from reslag_vae.training.job import final, resumed

Compose = Callable[..., DictConfig]

OLD = Path(__file__).parent / "version_0_1"
EXPERIMENTS = Path(__file__).parents[3] / "experiments"
COMMITTED = sorted(path.parent for path in EXPERIMENTS.rglob("config.yaml"))

# The options of each run in `version_0_1`, by today's names.
OPTIONS = {
    "plain": (
        "model=optimal_sigma",
        "objective=sigma_learned",
        "likelihood.variance.granularity=pixel",
        "recipe.channels=[2,4]",
    ),
    "residual": ("model=reslag", "recipe.residual=true", "recipe.channels=[1,2]"),
    "residual_light": (
        "model=reslag_light",
        "objective=sigma_optimal",
        "recipe.residual=true",
        "recipe.channels=[2,4]",
    ),
}
SHARED = (
    "data=digits",
    "data.root=/data",
    "data.batch_size=128",
    "recipe.blocks=[1,1]",
    "recipe.latent_dim=3",
    "recipe.aggressive_epochs=1",
    "trainer.max_epochs=2",
)
# What the configurations of data had no word for.
NEW = ("data.binarize",)

# The objectives of version 0.1, on images of 1 x 28 x 28.
SHAPE = [1, 28, 28]
OBJECTIVES: dict[str, dict[str, Any]] = {
    "elbo": {"_target_": "ELBO"},
    "beta": {"_target_": "Beta", "beta": 4},
    "capacity": {"_target_": "Capacity", "gamma": 10.0, "capacity": 25.0, "epochs": 20},
    "mmd": {
        "_target_": "MMD",
        "alpha": 1.0,
        "lambda_": 500.0,
        "bandwidth": None,
        "estimator": "biased",
    },
    "reconstruction": {"_target_": "Reconstruction"},
    "sigma_data": {"_target_": "SigmaData", "image_shape": SHAPE, "decay": 0.9999},
    "sigma_fixed": {"_target_": "SigmaFixed", "sigma2": 0.05},
    "sigma_learned": {"_target_": "SigmaLearned", "image_shape": SHAPE, "granularity": "global"},
    "sigma_optimal": {
        "_target_": "SigmaOptimal",
        "image_shape": SHAPE,
        "granularity": "global",
        "decay": 0.99,
    },
}


def test_committed_runs_of_version_0_1_are_made_of_todays_parts() -> None:
    assert any("reslag_vae.models." in (folder / "config.yaml").read_text() for folder in COMMITTED)
    for folder in COMMITTED:
        assert foreign_target(read_config(folder), RUN_MODULES, others=RUN_TARGETS) is None


@pytest.mark.parametrize("name", OPTIONS)
def test_a_run_of_version_0_1_is_what_todays_command_trains(name: str, compose: Compose) -> None:
    own: Any = OmegaConf.to_container(final(compose(*OPTIONS[name], *SHARED)))
    found = material_differences(read_config(OLD / name), own)
    assert [difference for difference in found if difference[0] not in NEW] == []


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_of_version_0_1_is_todays_preset(name: str, compose: Compose) -> None:
    own: Any = OmegaConf.to_container(
        compose("model=vae", f"objective={name}", "data=mnist"), resolve=True
    )
    node = OBJECTIVES[name]
    old = {
        "_target_": "reslag_vae.models.VAE",
        "network": own["network"],
        "objective": node | {"_target_": f"reslag_vae.objectives.{node['_target_']}"},
        "schedule": {"_target_": "reslag_vae.schedules.Joint"},
        "optimizer": own["optimizer"] | {"_target_": "reslag_vae.optimizers.AdamSettings"},
    }
    assert migrated_model(old) == own["model"]


def test_a_code_without_a_density_stays_one(compose: Compose) -> None:
    own: Any = OmegaConf.to_container(compose("model=autoencoder", "data=mnist"), resolve=True)
    old = {
        "_target_": "reslag_vae.models.AutoEncoder",
        "network": own["network"],
        "objective": {"_target_": "reslag_vae.objectives.Reconstruction"},
        "schedule": {"_target_": "reslag_vae.schedules.Joint"},
        "optimizer": own["optimizer"] | {"_target_": "reslag_vae.optimizers.AdamSettings"},
    }
    assert migrated_model(old) == own["model"]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_checkpoint_of_version_0_1_gives_its_old_numbers(name: str) -> None:
    run, data = read_run(OLD / name, "last"), load_data(OLD / name)
    result = json.loads((OLD / name / "metrics.json").read_text())
    assert (run.variant.name, run.preset) == (result["model"], result["objective"])
    train_mse = result["yardstick_sigma2"]
    metrics = evaluate(run.model, run.objective, data.in_order("test")).metrics(train_mse)
    assert result["test"].keys() <= metrics.keys()
    ours = {metric: metrics[metric] for metric in result["test"]}
    assert ours == pytest.approx(result["test"], rel=1e-4, abs=1e-6)


def test_names_of_others_stay() -> None:
    own = {
        "_target_": "mymodels.VAE",
        "a": [{"_target_": "lightning.Trainer", "b": "reslag_vae.models.VAE"}],
        "network": {"_target_": "mymodels.Network"},
        "objective": {"_target_": "mymodels.Objective"},
    }
    migrated = migrated_model(own)
    assert migrated["_target_"] == own["_target_"]
    assert migrated["a"] == own["a"]
    assert migrated["model"]["network"] == own["network"]
    assert migrated["objective"] == own["objective"]


@pytest.mark.parametrize("name", ["plain", "residual_light"])
def test_a_run_of_version_0_1_goes_on(name: str, train: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(OLD / name, folder)
    train(resumed(folder, ["trainer.max_epochs=3"]), folder)
    run = read_run(folder, "last")
    assert run.epoch == 3
    assert run.history[:2] == read_run(OLD / name, "last").history
    # What the schedule and the optimizers were at goes on, too.
    before = read_checkpoint(OLD / name / "checkpoints" / "last.ckpt")
    after = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    steps = [
        [
            state["step"].item()
            for own in content["optimizer_states"]
            for state in own["state"].values()
        ]
        for content in (before, after)
    ]
    per_epoch = 12  # minibatches of 128 of the 1,455 images
    assert steps[1] == [step + per_epoch for step in steps[0]]
    assert after["progress"]["images_seen"] == before["progress"]["images_seen"] * 3 / 2
    if name == "residual_light":
        assert after["progress"]["schedule"] == before["progress"]["schedule"]


def old_checkpoint(name: str) -> dict[str, Any]:
    """A checkpoint as version 0.1 has written it."""
    content: dict[str, Any] = torch.load(
        OLD / name / "checkpoints" / "last.ckpt", weights_only=True
    )
    return content


def nested(node: dict[str, Any]) -> None:
    """Ten to the twelve values for whoever goes through them."""
    part: list[Any] = ["x"]
    for _ in range(12):
        part = [part] * 10
    node["network"]["more"] = part


def deep(node: dict[str, Any]) -> None:
    """More levels than Python goes down."""
    part: list[Any] = []
    for _ in range(400):
        part = [part]
    node["network"]["more"] = part


def foreign(node: dict[str, Any]) -> None:
    node["network"]["_target_"] = "os.mkdir"


@pytest.mark.parametrize("spoil", [nested, deep, foreign])
def test_a_malicious_checkpoint_of_version_0_1_is_refused_at_once(
    spoil: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    checkpoint = old_checkpoint("plain")
    spoil(checkpoint["hyper_parameters"]["model"])
    torch.save(checkpoint, tmp_path / "own.ckpt")
    with pytest.raises(RunError, match=r"own\.ckpt is not a checkpoint of this package"):
        reslag_vae.load(tmp_path / "own.ckpt")


@pytest.mark.parametrize(
    "damage",
    [
        {"state_dict": {3: torch.zeros(1)}},
        {"state_dict": [1]},
        {"progress": {}},
        {"progress": 3},
        {"hyper_parameters": {"model": {"network": 3}}},
    ],
)
def test_a_damaged_checkpoint_of_version_0_1_is_migrated_as_far_as_it_goes(
    damage: dict[str, Any], tmp_path: Path
) -> None:
    checkpoint = old_checkpoint("plain") | damage
    assert migrated_checkpoint(checkpoint).keys() == checkpoint.keys()
    torch.save(checkpoint, tmp_path / "own.ckpt")
    if "progress" in damage:
        assert reslag_vae.load(tmp_path / "own.ckpt").latent_dim == 3
        return
    with pytest.raises(RunError, match=r"own\.ckpt is (damaged|not a checkpoint)"):
        reslag_vae.load(tmp_path / "own.ckpt")

"""Runs that version 0.1 has trained load, give their numbers of then, are evaluated, and go on."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import reslag_vae
from reslag_vae.evaluation.main import evaluate
from reslag_vae.evaluation.metrics import classifier
from reslag_vae.evaluation.metrics.bounds import importance_weighted_bound
from reslag_vae.runs.data import load_data
from reslag_vae.training.finish import measure
from reslag_vae.training.job import resumed

RUNS = Path(__file__).parent / "version_0_1"
NAMES = sorted(path.name for path in RUNS.iterdir() if path.is_dir())
EVALUATED = ("lagging", "mmd_infovae", "reslag_light")
RESUMED = (
    "capacity",
    "lagging",
    "mmd_infovae",
    "optimal_sigma_learned",
    "optimal_sigma_pixel",
    "reslag_light",
)

# What is trained in an evaluation rounds otherwise on another processor, as a run does.
TRAINED = ("classes", "samples")
ROUNDING = 2e-3

# Numbers of many are kept as their mean and every 97th.
FEW, STEP = 64, 97


def kept(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / name).read_text())
    return content


@pytest.fixture
def copy(tmp_path: Path) -> Any:
    """A run in a folder of the test's own."""
    return lambda name: Path(shutil.copytree(RUNS / name, tmp_path / name))


def thin(values: Tensor) -> list[float]:
    """All of a few numbers; of many their mean and some."""
    values = values.detach().double().flatten()
    some = values[::STEP].tolist()
    return [float(values.mean()), *some] if len(values) > FEW else values.tolist()


def named(fields: Any) -> dict[str, list[float]]:
    """The tensors of a named tuple that are there."""
    return {name: thin(value) for name, value in fields._asdict().items() if value is not None}


@torch.no_grad()
def numbers_of(model: Any) -> dict[str, Any]:
    """What a model makes of four fixed images, with fixed noise."""
    shape, dimension = model.network.image_shape, model.network.latent_dim
    images = (torch.arange(4 * 784) * 37 % 251).to(torch.uint8).view(4, *shape)
    count = torch.arange(4 * dimension)
    noise, prior = count.sin().view(4, dimension), count.cos().view(4, dimension)
    variance = model.likelihood_variance()
    numbers: dict[str, Any] = {
        "encode": thin(model.encode(images)),
        "decode": thin(model.decode(noise)),
        "reconstruct": thin(model.reconstruct(images)),
        "sample": thin(model.sample(4, torch.Generator().manual_seed(5))),
        "terms": named(model.terms(images, noise, prior)),
    }
    if variance is not None:
        numbers["variance"] = thin(variance)
    if not model.deterministic:
        own = None if variance is not None else 0.05
        numbers["bound"] = named(importance_weighted_bound(model, images, 8, own, 3))
    model.train()
    numbers["terms_in_training"] = named(model.terms(images, noise, prior))
    return numbers


def assert_close(ours: Any, theirs: Any, rounding: float = 1e-5, name: str = "") -> None:
    """The same names, and the same numbers but for their rounding."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for own, value in theirs.items():
            assert_close(ours[own], value, rounding, own)
    elif theirs is None:
        assert ours is None, name
    else:
        assert ours == pytest.approx(theirs, rel=rounding, abs=1e-6), name


def test_every_network_and_objective_of_version_0_1_is_there() -> None:
    configs = "".join((RUNS / name / "config.yaml").read_text() for name in NAMES)
    for network in ("PlainNetwork", "ResidualNetwork", "LightResidualNetwork"):
        assert f"reslag_vae.networks.{network}\n" in configs
    sigmas = ("SigmaData", "SigmaFixed", "SigmaLearned", "SigmaOptimal")
    for objective in (*sigmas, "ELBO", "Beta", "Capacity", "MMD", "Reconstruction"):
        assert f"reslag_vae.objectives.{objective}\n" in configs


@pytest.mark.parametrize("which", ["best", "last"])
@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_gives_its_numbers_of_then(name: str, which: str) -> None:
    model = reslag_vae.load(RUNS / name, which)
    assert_close(numbers_of(model), kept(RUNS / name, "numbers.json")[which])


@pytest.mark.parametrize("name", NAMES)
def test_the_metrics_are_those_of_the_runs_end(name: str) -> None:
    result = kept(RUNS / name, "metrics.json")
    model = reslag_vae.load(RUNS / name)
    metrics = measure(model, load_data(RUNS / name))
    assert float(model.train_mse) == pytest.approx(result["yardstick_sigma2"], rel=1e-5)
    assert_close(metrics, {split: result[split] for split in ("val", "test")})


@pytest.mark.parametrize("name", EVALUATED)
def test_an_evaluation_gives_its_numbers_of_then(
    name: str, compose: Any, copy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "STEPS", 10)
    options = ("samples=4", "figures=false", "device=cpu", "out=unused")
    (evaluated,) = evaluate(compose(f"run={copy(name)}", *options, script="evaluate"))
    theirs = kept(RUNS / name, "numbers.json")["evaluation"]
    for group, numbers in evaluated.numbers.items():
        rounding = ROUNDING if group in TRAINED else 1e-5
        for own, number in numbers.items():
            assert_close(number.value, theirs.pop(f"{group}/{own}"), rounding, own)
    assert not theirs


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_goes_on_as_it_would_have_then(name: str, train: Any, copy: Any) -> None:
    folder = copy(name)
    train(resumed(folder, ["trainer.max_epochs=3"]), folder)
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    theirs = kept(RUNS / name, "numbers.json")["resumed"]
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert_close({column: float(rows[-1][column]) for column in theirs}, theirs, ROUNDING)
    assert kept(folder, "metrics.json")["epochs_run"] == 3

"""Runs that version 0.1 has trained load, give their numbers of then, are evaluated, and go on."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import reslag_vae
from reslag_vae import options
from reslag_vae.evaluation.epoch import evaluate as epoch_of_split
from reslag_vae.evaluation.epoch import measure_yardstick
from reslag_vae.evaluation.main import evaluate
from reslag_vae.evaluation.metrics import classifier
from reslag_vae.evaluation.metrics.bounds import importance_weighted_bound
from reslag_vae.models.terms import compute_terms
from reslag_vae.runs.checkpoints import checkpoint_path, read_checkpoint
from reslag_vae.runs.data import load_data
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.load import Parts, parts_of
from reslag_vae.training.measure import METRICS
from reslag_vae.training.resume import resumed
from reslag_vae.training.study_job import check_same_settings
from tests.running import start

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

# What the command of every run shares; the README's table has the rest.
SHARED = (
    "data=digits",
    "trainer.max_epochs=2",
    "+trainer.limit_train_batches=12",
    "trainer.accelerator=cpu",
    "recipe.blocks=[1,1]",
    "recipe.latent_dim=2",
    "logger=none",
    "callbacks.images=null",
    "callbacks.collapse=null",
    "callbacks.progress=null",
)

# Runs whose commands name options that have other names today.
RENAMED = ("optimal_sigma_pixel", "reslag")

# What is trained in an evaluation rounds otherwise on another processor, as a run does: distances
# by a classifier of ten steps differ by 3e-3 between an AMD EPYC and an Intel Xeon.
TRAINED = ("classes", "samples")
ROUNDING, ROUNDING_OF_TRAINED = 2e-3, 1e-2

# Of a result: what it is of, and the means that hang on no threshold and are not near 0.
SAID = ("model", "objective", "schedule", "data", "images", "parameters", "epoch")
MEANS = ("loss", "rec", "kl", "elbo", "sigma2")

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


def named(fields: dict[str, Any]) -> dict[str, list[float]]:
    """The tensors that are there."""
    return {name: thin(value) for name, value in fields.items() if value is not None}


@torch.no_grad()
def numbers_of(parts: Parts) -> dict[str, Any]:
    """What a model makes of four fixed images, with fixed noise, by the names of then."""
    model: Any = parts.model
    shape, dimension = model.image_shape, model.latent_dim
    images = (torch.arange(4 * 784) * 37 % 251).to(torch.uint8).view(4, *shape)
    count = torch.arange(4 * dimension)
    noise, prior = count.sin().view(4, dimension), count.cos().view(4, dimension)
    likelihood = model.likelihood.evaluated(parts.objective.kl_weight(dimension))
    numbers: dict[str, Any] = {
        "encode": thin(model.encode(images)),
        "decode": thin(model.decode(noise)),
        "reconstruct": thin(model.reconstruct(images)),
        "sample": thin(model.sample(4, torch.Generator().manual_seed(5))),
        "terms": terms_of(parts, images, noise, prior),
    }
    if likelihood is not None:
        numbers["variance"] = thin(likelihood.sigma2)
    if not model.deterministic:
        own = 0.05 if likelihood is None else likelihood
        numbers["bound"] = named(importance_weighted_bound(model, images, 8, own, 3)._asdict())
    model.train()
    parts.objective.train()
    numbers["terms_in_training"] = terms_of(parts, images, noise, prior)
    return numbers


def terms_of(parts: Parts, images: Tensor, noise: Tensor, prior: Tensor) -> dict[str, list[float]]:
    """The terms of a minibatch by the names of then, the KL of each dimension for itself."""
    terms, inferred = compute_terms(parts.model, parts.objective, images, (noise,), prior)
    extras = terms.extras
    return named(
        {
            "loss": terms.loss,
            "rec": terms.rec,
            "kl": inferred.kls[0],
            "mmd": extras.get("mmd"),
            "sigma2": extras.get("sigma2"),
            "floored": extras.get("sigma2_floored"),
        }
    )


def parts_at(name: str, which: str = "best") -> Parts:
    """A kept run's model and objective."""
    path = checkpoint_path(RUNS / name, which)
    return parts_of(read_checkpoint(path), path)


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
    loaded, parts = reslag_vae.load(RUNS / name, which), parts_at(name, which)
    for own, value in loaded.state_dict().items():
        assert torch.equal(value, parts.model.state_dict()[own])
    assert_close(numbers_of(parts), kept(RUNS / name, "numbers.json")[which])


@pytest.mark.parametrize("name", NAMES)
def test_the_metrics_are_those_of_the_runs_end(name: str) -> None:
    result = kept(RUNS / name, "metrics.json")
    parts, data = parts_at(name), load_data(RUNS / name)
    train_mse = measure_yardstick(parts.model, parts.objective, data.in_order("train"))
    assert train_mse == pytest.approx(result["yardstick_sigma2"], rel=1e-5)
    for split in ("val", "test"):
        epoch = epoch_of_split(parts.model, parts.objective, data.in_order(split))
        ours = dict.fromkeys(METRICS) | epoch.metrics(train_mse)
        assert_close({name: ours[name] for name in result[split]}, result[split])


@pytest.mark.parametrize("name", EVALUATED)
def test_an_evaluation_gives_its_numbers_of_then(
    name: str, compose: Any, copy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "STEPS", 10)
    quick = ("samples=4", "figures=false", "device=cpu", "out=unused")
    (evaluated,) = evaluate(compose(f"run={copy(name)}", *quick, script="evaluate"))
    theirs = kept(RUNS / name, "numbers.json")["evaluation"]
    for name_then, value in theirs.items():
        group, own = name_then.split("/")
        rounding = ROUNDING_OF_TRAINED if group in TRAINED else 1e-5
        assert_close(evaluated.numbers[group][own].value, value, rounding, own)


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


def command_of(name: str) -> list[str]:
    """The arguments of train.py that have made a run, by the names of then."""
    table = (RUNS / "README.md").read_text()
    found = re.search(rf"^\| `{name}` \| `(.*)` \|$", table, re.MULTILINE)
    assert found is not None, f"the README says nothing of {name}"
    return [*SHARED, *found[1].split()]


@pytest.mark.parametrize("name", RENAMED)
def test_a_command_of_then_trains_what_it_trained_then(name: str, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    done = start(tmp_path / "here", *command_of(name), "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "here" / "run"
    ours, theirs = kept(folder, "metrics.json"), kept(RUNS / name, "metrics.json")
    assert [ours[own] for own in SAID] == [theirs[own] for own in SAID]
    for split in ("val", "test"):
        known = {own: theirs[split][own] for own in MEANS}
        assert_close({own: ours[split][own] for own in MEANS}, known, ROUNDING)


@pytest.mark.parametrize("name", NAMES)
def test_a_study_that_began_then_goes_on_by_its_command(name: str, compose: Any) -> None:
    command = options.renamed(command_of(name))
    config = compose(*command)
    check_same_settings(config, RUNS / name)
    config.optimizer.lr = 0.1
    with pytest.raises(
        RunError, match=r"optimizer\.lr=0\.002, and optimizer\.lr=0\.1 is asked for"
    ):
        check_same_settings(config, RUNS / name)

"""Trained models in a process of their own, as a notebook has them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from reslag_vae.sharing.export import export
from tests.running import BARE, ROOT

NOTEBOOK = """
import json, sys

import torch

import reslag_vae

def use(place):
    model = reslag_vae.load(place)
    images = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8)
    codes = model.encode(images)
    results = {
        "codes": codes,
        "decoded": model.decode(codes),
        "reconstructed": model.reconstruct(images),
        "sampled": model.sample(4, torch.Generator().manual_seed(0)),
    }
    shapes = {name: list(result.shape) for name, result in results.items()}
    finite = all(bool(result.isfinite().all()) for result in results.values())
    equal = torch.equal(results["decoded"], results["reconstructed"])
    return {"shapes": shapes, "finite": finite, "equal": equal, "modules": sorted(sys.modules)}


for place in sys.argv[1:]:
    try:
        print(json.dumps(use(place)))
    except Exception as error:
        print(json.dumps(repr(error)))
"""

# What trains, tracks, measures and draws, in other packages and in this one.
UNNEEDED = {
    "lightning",
    "lightning_fabric",
    "pytorch_lightning",
    "wandb",
    "sklearn",
    "scipy",
    "matplotlib",
    "torchmetrics",
    "reslag_vae.variants",
    "reslag_vae.training",
    "reslag_vae.evaluation",
    "reslag_vae.studies",
}
OLD = ROOT / "tests" / "golden" / "version_0_1" / "reslag" / "checkpoints" / "last.ckpt"
# A folder of a run, its model without it, a checkpoint alone, and one of version 0.1.
PLACES = ("run", "exported", "run/checkpoints/last.ckpt", str(OLD))


@pytest.fixture(scope="module")
def said(
    compose: Callable[..., DictConfig],
    train: Callable[[DictConfig, Path], float],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What the process says of each of the places, one after the other."""
    place = tmp_path_factory.mktemp("notebook")
    options = ("model=reslag_light", "recipe.residual=true", "recipe.aggressive_epochs=1")
    train(compose(*BARE, *options, "trainer.max_epochs=1", "recipe.latent_dim=3"), place / "run")
    export(place / "run", place / "exported")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NOTEBOOK, *(str(place / own) for own in PLACES)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(PLACES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", PLACES, ids=lambda name: name.removeprefix(f"{ROOT}/"))
def test_a_model_is_used_without_what_trained_it(name: str, said: dict[str, Any]) -> None:
    facts = said[name]
    assert isinstance(facts, dict), f"it fails: {facts}"
    modules = set(facts["modules"])
    assert {"torch", "reslag_vae.runs.load"} <= modules
    assert not UNNEEDED & modules
    image = [1, 28, 28]
    assert facts["shapes"] == {
        "codes": [3, facts["shapes"]["codes"][1]],
        "decoded": [3, *image],
        "reconstructed": [3, *image],
        "sampled": [4, *image],
    }
    assert facts["finite"]
    assert facts["equal"]

"""A trained model in a process of its own, as a notebook has it."""

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

model = reslag_vae.load(sys.argv[1])
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
facts = {"shapes": shapes, "finite": finite, "equal": equal, "modules": sorted(sys.modules)}
print(json.dumps(facts))
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


@pytest.fixture(scope="module")
def run(
    compose: Callable[..., DictConfig],
    train: Callable[[DictConfig, Path], float],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A finished run, and `exported`, its model without it."""
    place = tmp_path_factory.mktemp("notebook")
    options = ("model=reslag_light", "recipe.residual=true", "recipe.aggressive_epochs=1")
    train(compose(*BARE, *options, "trainer.max_epochs=1", "recipe.latent_dim=3"), place / "run")
    export(place / "run", place / "exported")
    return place


@pytest.mark.parametrize(
    "name",
    [
        "run",
        pytest.param("run/checkpoints/last.ckpt", marks=pytest.mark.slow),
        "exported",
        pytest.param(str(OLD), marks=pytest.mark.slow),
    ],
)
def test_a_model_is_used_without_what_trained_it(name: str, run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NOTEBOOK, str(run / name)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    modules = set(said["modules"])
    assert {"torch", "reslag_vae.runs.load"} <= modules
    assert not UNNEEDED & modules
    image = [1, 28, 28]
    assert said["shapes"] == {
        "codes": [3, said["shapes"]["codes"][1]],
        "decoded": [3, *image],
        "reconstructed": [3, *image],
        "sampled": [4, *image],
    }
    assert said["finite"]
    assert said["equal"]

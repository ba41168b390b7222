"""The package as a wheel, in an empty folder, with nothing of the checkout on the path."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.building import build_wheel

SMALL = ("data=digits", "recipe.channels=[4,8]", "recipe.blocks=[1,1]", "trainer.max_epochs=1")
QUIET = ("logger=none", "callbacks.progress=null")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, beside the libraries of this one."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    fresh = folder / "bin" / "python"
    wheel = build_wheel(folder)
    install = [str(fresh), "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(install, check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    # As a path alone: what an editable installation of the checkout has left there is not run.
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return fresh


def reslag(python: Path, folder: Path, *arguments: str) -> str:
    """Run the installed command, and return what it says."""
    words = [str(python.parent / "reslag"), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_model_is_trained_evaluated_and_exported_in_an_empty_folder(
    python: Path, tmp_path: Path
) -> None:
    reslag(python, tmp_path, "train", "model=vae", *SMALL, *QUIET, "hydra.run.dir=run")
    reslag(python, tmp_path, "evaluate", "run=run", "samples=4", "figures=false", "logger=none")
    assert (tmp_path / "run" / "evaluation.json").is_file()
    reslag(python, tmp_path, "export", "run", "out")
    code = (
        "import reslag_vae, torch; m = reslag_vae.load('out'); "
        "print(tuple(m.sample(2).shape), reslag_vae.__file__)"
    )
    said = subprocess.check_output([str(python), "-c", code], cwd=tmp_path, text=True)
    assert said.startswith("(2, 1, 28, 28)")
    assert str(python.parents[1]) in said


def test_groups_of_ones_own_are_found_in_a_folder_that_is_named(
    python: Path, tmp_path: Path
) -> None:
    own = tmp_path / "my_conf" / "model"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - vae\n  - _self_\nrecipe:\n  latent_dim: 3\n"
    )
    chosen = ("--config-dir", "my_conf", "model=mine")
    reslag(python, tmp_path, "train", *chosen, *SMALL, *QUIET, "hydra.run.dir=run")
    assert "latent_dim: 3" in (tmp_path / "run" / "config.yaml").read_text()


def test_several_jobs_run_from_the_installed_command(python: Path, tmp_path: Path) -> None:
    many = ("-m", "model=vae,optimal_sigma", "hydra.sweep.dir=sweep")
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    reslag(python, tmp_path, "train", *many, *launcher, *SMALL, *QUIET)
    assert len(list((tmp_path / "sweep").glob("*/metrics.json"))) == 2


def test_several_devices_run_from_the_installed_command(python: Path, tmp_path: Path) -> None:
    two = ("trainer.devices=2", "trainer.accelerator=cpu", "hydra.run.dir=run")
    reslag(python, tmp_path, "train", "model=vae", *two, *SMALL, *QUIET)
    assert (tmp_path / "run" / "metrics.json").is_file()


def test_a_study_of_ones_own_runs_and_is_reported(python: Path, tmp_path: Path) -> None:
    own = tmp_path / "my_conf" / "experiment"
    own.mkdir(parents=True)
    (own / "tiny.yaml").write_text(
        "# @package _global_\n"
        "defaults: [study]\n"
        "study: tiny\n"
        "hydra: {sweeper: {grids: [{data: digits, model: [vae, optimal_sigma], seed: 0}]}}\n"
    )
    chosen = ("--config-dir", "my_conf", "experiment=tiny")
    reslag(python, tmp_path, "train", *chosen, *SMALL[1:], *QUIET)
    assert "2 of 2 runs finished" in reslag(python, tmp_path, "study", "studies/tiny")
    reslag(python, tmp_path, "report", "studies/tiny")
    assert (tmp_path / "studies" / "tiny" / "report.html").is_file()

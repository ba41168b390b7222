"""A refused command leaves nothing behind, and takes nothing away."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.types import RunMode
from omegaconf import OmegaConf

from reslag_vae.training import job_folder
from reslag_vae.training.job_folder import FolderWatch, discard, note_missing
from tests.running import SMALL, start

Begin = Callable[[Path], None]


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Do what Hydra does at the start of a job."""

    def begun(folder: Path, sweep: Path | None = None) -> None:
        hydra: dict[str, Any] = {"run": {"dir": str(folder)}, "sweep": {"dir": str(sweep)}}
        config = OmegaConf.create({"hydra": hydra})
        watch = FolderWatch()
        mode = RunMode.RUN if sweep is None else RunMode.MULTIRUN
        own = SimpleNamespace(runtime=SimpleNamespace(output_dir=str(folder)), mode=mode)
        stand_in = SimpleNamespace(
            get=lambda: own, instance=lambda: SimpleNamespace(set_config=lambda _: None)
        )
        monkeypatch.setattr(job_folder, "HydraConfig", stand_in)
        (watch.on_run_start if sweep is None else watch.on_multirun_start)(config)
        folder.mkdir(parents=True, exist_ok=True)
        watch.on_job_start(config)

    return begun


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("log", [True, False])
def test_folders_that_were_made_for_the_job_go(log: bool, begin: Begin, tmp_path: Path) -> None:
    begin(tmp_path / "a" / "b" / "c")
    if log:
        (tmp_path / "a" / "b" / "c" / "train.log").touch()
    assert discard()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "own", ["train.log", "wandb/old.wandb", "failed.json", "wandb_id.txt", ".lock", "notes.txt"]
)
def test_what_was_there_stays(own: str, begin: Begin, tmp_path: Path) -> None:
    path = tmp_path / "folder" / own
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    before = names(tmp_path)
    begin(tmp_path / "folder")
    assert discard()
    assert names(tmp_path) == before
    assert path.read_text() == "precious"


def test_an_empty_folder_that_was_there_stays(begin: Begin, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    begin(tmp_path / "empty")
    (tmp_path / "empty" / "train.log").touch()
    assert discard()
    assert names(tmp_path) == ["empty"]


def test_a_run_stays(begin: Begin, tmp_path: Path) -> None:
    begin(tmp_path / "run")
    (tmp_path / "run" / "config.yaml").touch()
    (tmp_path / "run" / "train.log").touch()
    assert not discard()
    assert names(tmp_path) == ["run", "run/config.yaml", "run/train.log"]


def test_a_refused_job_of_a_multirun_leaves_the_others_alone(begin: Begin, tmp_path: Path) -> None:
    sweep = tmp_path / "multirun"
    begin(sweep / "1", sweep)
    (sweep / "0").mkdir()
    (sweep / "0" / "config.yaml").touch()
    (sweep / "1" / "train.log").touch()
    assert discard()
    assert names(tmp_path) == ["multirun", "multirun/0", "multirun/0/config.yaml"]


def test_a_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        SystemExit, match=r"file/run cannot be the folder of a run: .*file is not a folder"
    ):
        note_missing(tmp_path / "file" / "run")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(SystemExit, match="link is not a folder"):
        note_missing(tmp_path / "link" / "run")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(SystemExit, match="cannot be written"):
        note_missing(tmp_path / "run")


def test_a_refused_start_in_the_users_folder_takes_nothing_away(tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "old.wandb").write_text("precious")
    (tmp_path / "my_thesis.unfinished").write_text("precious")
    refused = start(tmp_path, *SMALL, "model=vae", "recipe.latent_dim=-1", "hydra.run.dir=.")
    assert refused.returncode == 1
    assert "latent_dim=-1" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert names(tmp_path) == ["my_thesis.unfinished", "wandb", "wandb/old.wandb"]


def test_a_run_is_not_mixed_with_parts_of_another(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").write_text("precious")
    refused = start(tmp_path, *SMALL, "model=vae", "hydra.run.dir=.")
    assert refused.returncode == 1
    assert "best.ckpt is of another run: choose another folder" in refused.stderr
    assert (tmp_path / "checkpoints" / "best.ckpt").read_text() == "precious"

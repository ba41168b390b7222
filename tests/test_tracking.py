"""Weights & Biases without an account and without a network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wandb
from omegaconf import DictConfig

from reslag_vae import wiring
from reslag_vae.tracking import logged_in, wandb_logger

Compose = Callable[..., DictConfig]
CONFIG: dict[str, Any] = {"model": "vae", "data": "digits", "objective": "elbo", "schedule": "joint"}


def test_nobody_is_logged_in_without_a_key() -> None:
    assert not logged_in()


def test_a_key_in_the_environment_is_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert logged_in()
    monkeypatch.setenv("WANDB_API_KEY", "")
    assert not logged_in()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("machine api.wandb.ai login user password 0123456789\n", True),
        ("machine example.org login user password 0123456789\n", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_a_key_in_netrc_is_a_login(
    content: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text(content)
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert logged_in() == expected


def test_a_key_counts_for_the_server_that_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine wandb.example.org login user password 0123456789\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert not logged_in()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org:8080")
    assert logged_in()


def test_an_unknown_mode_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"logger.mode=of: choose one of auto, online, offline"):
        wandb_logger("project", "of", None, tmp_path, CONFIG)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_every_run_has_its_own_id_and_keeps_it(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three jobs of one process, the second of which fails and the third of which is the first one, resumed."""
    # With no account and no word of the user's the mode is offline by itself.
    monkeypatch.delenv("WANDB_MODE")
    options = ("recipe.channels=[2]", "recipe.blocks=[1]", "trainer.accelerator=cpu", "logger.group=sweep")
    config = compose("model=vae", "data=digits", *options)
    ids, settings = [], []

    def job(folder: Path, fails: bool) -> None:
        trainer = wiring.build(config, folder)[2]
        with wiring.finished_loggers(trainer):
            run = trainer.loggers[0].experiment
            ids.append(run.id)
            settings.append((run.offline, run.project, run.group, run.name, Path(run.dir).is_relative_to(folder)))
            assert {name: run.config[name] for name in CONFIG} == CONFIG
            assert run.config["data.batch_size"] == 32
            if fails:
                raise RuntimeError("this job fails")

    job(tmp_path / "first", fails=False)
    assert wandb.run is None
    with pytest.raises(RuntimeError, match="this job fails"):
        job(tmp_path / "second", fails=True)
    assert wandb.run is None
    job(tmp_path / "first", fails=False)
    assert wandb.run is None
    assert ids[0] == ids[2] != ids[1]
    assert [(tmp_path / name / "wandb_id.txt").read_text() for name in ("first", "second")] == ids[:2]
    assert settings == [(True, "reslag_vae", "sweep", "vae digits elbo", True)] * 3

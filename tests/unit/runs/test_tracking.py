"""Weights & Biases without an account and without a network."""

import logging
import os
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wandb
from omegaconf import DictConfig
from PIL import Image

from reslag_vae.runs.tracking import add_evaluation
from reslag_vae.runs.wandb_service import logged_in
from reslag_vae.runs.wandb_tracker import wandb_logger
from reslag_vae.training.build import add_logger, build, finished_loggers
from tests.running import wandb_records

Compose = Callable[..., DictConfig]
CONFIG: dict[str, Any] = {
    "model": "vae",
    "data": "digits",
    "objective": "elbo",
    "schedule": "joint",
}


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


def test_a_key_counts_for_the_server_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    """Run three jobs in one process: the second fails, and the third resumes the first."""
    # With no account and no word of the user's the mode is offline by itself.
    monkeypatch.delenv("WANDB_MODE")
    options = (
        "recipe.channels=[2]",
        "recipe.blocks=[1]",
        "trainer.accelerator=cpu",
        "logger.group=sweep",
    )
    config = compose("model=vae", "data=digits", *options)
    ids, settings = [], []

    def job(folder: Path, fails: bool) -> None:
        data, model, trainer = build(config, folder)
        add_logger(trainer, config, data, model)
        with finished_loggers(trainer):
            run = trainer.loggers[0].experiment
            ids.append(run.id)
            settings.append(
                (
                    run.offline,
                    run.project,
                    run.group,
                    run.name,
                    Path(run.dir).is_relative_to(folder),
                )
            )
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
    assert [(tmp_path / name / "wandb_id.txt").read_text() for name in ("first", "second")] == ids[
        :2
    ]
    assert settings == [(True, "reslag_vae", "sweep", "vae digits elbo", True)] * 3


@pytest.fixture
def fresh() -> Iterator[None]:
    """W&B reads its environment anew, and keeps nothing of it."""
    wandb.teardown()
    yield
    wandb.teardown()


def used(folder: Path, project: Any = "project", number: int = 0) -> bool:
    """Whether a logger got all that a run and its evaluation have for one."""
    Image.new("L", (4, 4)).save(folder.parent / "picture.png")
    logger = wandb_logger(project, "auto", None, folder, CONFIG)
    assert hasattr(logger, "experiment")  # as Lightning asks
    logger.log_hyperparams({"channels": [2]})
    logger.log_metrics({"images_seen": 10.0 * number, "val/loss": 1.0}, step=7)
    add_evaluation(logger, "evaluation", {"rec": 2.0}, {"samples": folder.parent / "picture.png"})
    logger.finalize("success")
    got = not logger.off
    logger.close()
    logger.log_metrics({"images_seen": 1.0}, step=8)  # as by trainer.validate
    return got


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the log that are ours."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("reslag_vae.runs.")
    ]


def wrong_folder(folder: Path, name: str) -> None:
    (folder / name).mkdir()


def wrong_file(folder: Path, name: str) -> None:
    (folder / name).write_text("a file")


@pytest.mark.parametrize(
    ("variables", "project", "spoil", "word"),
    [
        ({"WANDB_MODE": "nonsense"}, "project", None, "'nonsense'"),
        ({"WANDB_MODE": ""}, "project", None, "mode"),
        ({"WANDB_BASE_URL": "not a url"}, "project", None, "base_url"),
        ({"WANDB_BASE_URL": "http://["}, "project", None, "base_url"),
        ({"WANDB_INIT_TIMEOUT": "abc"}, "project", None, "init_timeout"),
        ({"WANDB_CONSOLE": "abc"}, "project", None, "console"),
        ({}, "p" * 300, None, "Invalid project name"),
        ({}, ["project"], None, "project"),
        ({}, "project", (wrong_folder, "wandb_id.txt"), "wandb_id.txt"),
        ({}, "project", (wrong_file, "wandb"), "Not a directory"),
    ],
)
@pytest.mark.usefixtures("fresh")
def test_what_keeps_wandb_from_starting_is_told_in_one_line(
    variables: dict[str, str],
    project: Any,
    spoil: tuple[Callable[[Path, str], None], str] | None,
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "run").mkdir()
    if spoil is not None:
        spoil[0](tmp_path / "run", spoil[1])
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert not used(tmp_path / "run", project)
    [line] = said(caplog)
    assert line.startswith("W&B does not start (")
    assert line.endswith("the run goes on without, and its folder gets everything.")
    assert word in line
    assert "\n" not in line
    assert len(line) < 400


@pytest.mark.usefixtures("fresh")
def test_disabled_is_not_told_as_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    caplog.set_level(logging.INFO, "reslag_vae")
    (tmp_path / "run").mkdir()
    assert not used(tmp_path / "run")
    assert said(caplog) == ["W&B: disabled"]
    assert not (tmp_path / "run" / "wandb").exists()


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"a" * 5_000, b"with spaces", b"a/b"])
def test_a_damaged_id_is_replaced_and_told(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "wandb_id.txt"
    path.write_bytes(content)
    caplog.set_level(logging.WARNING, "reslag_vae")
    assert used(tmp_path / "run")
    new = path.read_text()
    assert len(new) == 8
    [line] = said(caplog)
    assert line == f"{path} is damaged: for W&B this is another run from now on, {new}."
    used(tmp_path / "run")
    assert path.read_text() == new


@pytest.mark.parametrize("url", ["not a url", "http://[", ""])
def test_nobody_is_logged_in_at_no_server(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", url)
    assert not logged_in()


def test_the_home_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NETRC", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert not logged_in()


@pytest.mark.usefixtures("fresh")
def test_without_a_home_wandb_keeps_its_files_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("WANDB_CONFIG_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "")  # to be put back at the end
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    (tmp_path / "run").mkdir()
    assert used(tmp_path / "run")
    assert os.environ["WANDB_CONFIG_DIR"] == str(tmp_path / "run" / "wandb")


def steps(folder: Path) -> list[list[int]]:
    """Return the rows of history of a run's offline segments, in the order of their names."""
    wandb.teardown()  # its service may not have written all of it before
    segments = sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))
    rows = [
        [record.history for record in wandb_records(path) if record.HasField("history")]
        for path in segments
    ]
    return [[row.step.num for row in segment] for segment in rows]


def test_the_segments_of_an_offline_run_count_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Trained, resumed and evaluated; each of two rows, of which the second has a picture."""
    caplog.set_level(logging.INFO, "reslag_vae")
    folder = tmp_path / "Photos (1)"
    folder.mkdir()
    for number in range(3):
        time.sleep(1.1 if number else 0)  # the names of segments have seconds
        used(folder, number=number)
    assert steps(folder) == [[0, 1], [2, 3], [4, 5]]
    lines = set(said(caplog))
    assert lines == {f"W&B: offline; to upload it: wandb sync '{folder}/wandb'/offline-run-*"}
    assert shlex.split(lines.pop())[-1] == f"{folder}/wandb/offline-run-*"


def test_a_damaged_count_of_steps_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "wandb_step.txt").write_bytes(b"\xff")
    assert used(tmp_path / "run")
    assert steps(tmp_path / "run") == [[0, 1]]


def test_a_run_says_what_it_is_and_its_summary_keeps_the_best(tmp_path: Path) -> None:
    """Group, tags, notes and type of a single run; the best of the ELBO; codes and the model."""
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    tracker = wandb_logger("project", "offline", None, tmp_path, CONFIG, log_model=True)
    for elbo in (1.0, 3.0, 2.0):
        tracker.log_metrics({"images_seen": elbo, "val/elbo": elbo, "epoch": 0}, step=7)
    picture = np.zeros((4, 4), dtype=np.uint8)
    tracker.show_table("codes", ["image", "class", "z1"], [[picture, "seven", 0.5]])
    tracker.summarise({"verdict": "no collapse", "best_epoch": 2})
    tracker.keep_model(tmp_path / "best.ckpt", {"best_epoch": 2})
    assert not tracker.off
    tracker.close()
    wandb.teardown()
    [path] = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    records = list(wandb_records(path))
    [run] = [record.run for record in records if record.HasField("run")]
    assert (run.run_group, run.job_type, run.notes) == ("digits", "train", str(tmp_path))
    assert list(run.tags) == ["vae", "digits", "elbo"]
    metrics = {record.metric.name: record.metric for record in records if record.HasField("metric")}
    assert metrics["val/elbo"].summary.max
    assert metrics["val/loss"].summary.min
    keys = {item.nested_key[0] or item.key for own in histories(records) for item in own.item}
    assert "codes" in keys
    assert "trainer/global_step" not in keys
    epochs = {item.value_json for own in histories(records) for item in own.item if named(item)}
    assert epochs == {"1"}
    [artifact] = [record for record in records if b"model-" in record.SerializeToString()]
    assert b"best.ckpt" in artifact.SerializeToString()


def histories(records: list[Any]) -> list[Any]:
    """The rows of history among records."""
    return [record.history for record in records if record.HasField("history")]


def named(item: Any) -> bool:
    """Whether an item is the epoch."""
    return "epoch" in (item.key, *item.nested_key)


def test_a_model_is_kept_only_where_that_is_asked_for(tmp_path: Path) -> None:
    tracker = wandb_logger("project", "offline", "own", tmp_path, CONFIG, ["a"], "why")
    tracker.keep_model(tmp_path / "absent.ckpt", {})
    assert not tracker.off
    assert (tracker.experiment.group, tracker.experiment.notes) == ("own", "why")
    tracker.close()

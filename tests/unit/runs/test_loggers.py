"""Loggers other than W&B's, and several at once, with the same keys and pictures."""

import csv
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.runs.config import plain
from reslag_vae.runs.lightning_tracker import LightningTracker
from reslag_vae.runs.loggers import build_trackers, check_loggers
from reslag_vae.runs.tracking import Tracker, add_evaluation, log_picture
from reslag_vae.runs.wandb_tracker import WandbTracker
from reslag_vae.training.build import build
from tests.recorder import MLflowLike, Recorder
from tests.running import SMALL

Compose = Callable[..., DictConfig]
CONFIG: dict[str, Any] = {"model": "vae", "data": "digits", "objective": "elbo"}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("L", (6, 4), 255).save(path)
    return path


def own(target: str, **options: Any) -> DictConfig:
    """A configuration with one logger of the user's own."""
    return OmegaConf.create({"mine": {"_target_": f"tests.recorder.{target}", **options}})


def only(trackers: list[Tracker]) -> Any:
    """The one logger behind the one tracker."""
    [tracker] = trackers
    assert isinstance(tracker, LightningTracker)
    return tracker.logger


def log_all(tracker: Tracker, picture: Path) -> None:
    """Everything that a run and its evaluation log."""
    # As Lightning calls it: by steps of its own, with epochs counted from 0.
    tracker.log_metrics({"images_seen": 640.0, "val/loss": 2.5, "epoch": 0}, step=3)
    log_picture([tracker], "samples", picture, 640)
    add_evaluation(tracker, "evaluation", {"rec": 2.0, "verdict": "fine"}, {"tsne": picture})
    tracker.save()
    tracker.finalize("success")


def test_a_csv_file_counts_images(compose: Compose, tmp_path: Path, picture: Path) -> None:
    trackers = build_trackers(compose("logger=csv").logger, tmp_path, CONFIG)
    assert isinstance(only(trackers), CSVLogger)
    log_all(trackers[0], picture)
    folder = tmp_path / "csv" / "version_0"
    with (folder / "metrics.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["step"], first["val/loss"], first["epoch"]) == ("640", "2.5", "1")
    assert (second["step"], second["evaluation/rec"]) == ("640", "2.0")
    assert "model: vae" in (folder / "hparams.yaml").read_text()


def test_tensorboard_counts_images_and_shows_pictures(
    compose: Compose, tmp_path: Path, picture: Path
) -> None:
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed",
    )
    config = compose("logger=tensorboard").logger
    for _ in range(2):  # resumed, it goes on in its folder
        [tracker] = build_trackers(config, tmp_path, CONFIG)
        log_all(tracker, picture)
    found = reader.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(event.step, event.value) for event in found.Scalars("val/loss")] == [(640, 2.5)] * 2
    assert {"figures/samples", "evaluation/tsne"} <= set(found.Tags()["images"])
    shown = found.Images("figures/samples")[0]
    assert (shown.step, shown.width, shown.height) == (640, 6, 4)


def test_mlflow_keeps_pictures_as_artifacts(
    compose: Compose, tmp_path: Path, picture: Path
) -> None:
    options = plain(compose("logger=mlflow").logger.mlflow)
    assert options.pop("_target_") == "lightning.pytorch.loggers.MLFlowLogger"
    node = own("MLflowLike", **options)
    trackers = build_trackers(node, tmp_path, CONFIG)
    log_all(trackers[0], picture)
    logger = only(trackers)
    assert isinstance(logger, MLflowLike)
    assert logger.artifacts == [
        ("run7", "picture.png", "figures"),
        ("run7", "picture.png", "evaluation"),
    ]


def test_a_logger_of_ones_own_gets_options_numbers_and_pictures(
    tmp_path: Path, picture: Path
) -> None:
    trackers = build_trackers(own("Recorder", hue="blue"), tmp_path, CONFIG)
    log_all(trackers[0], picture)
    logger: Recorder = only(trackers)
    assert (logger.hue, logger.place) == ("blue", str(tmp_path / "mine"))
    assert logger.options == CONFIG
    assert logger.rows == [
        ({"images_seen": 640.0, "val/loss": 2.5, "epoch": 1}, 640),
        ({"evaluation/rec": 2.0}, 640),
    ]
    assert logger.pictures == [
        ("figures/samples", "picture.png", 640),
        ("evaluation/tsne", "picture.png", 640),
    ]
    assert logger.status == "success"


def test_several_loggers_stand_beside_each_other(compose: Compose, tmp_path: Path) -> None:
    words = ("logger=[wandb,csv]", "logger.mode=offline", "+logger.mine._target_=")
    node = compose(*words[:2], f"{words[2]}tests.recorder.Recorder").logger
    trackers = build_trackers(node, tmp_path, CONFIG)
    try:
        assert isinstance(trackers[0], WandbTracker)
        assert [tracker.title for tracker in trackers] == ["W&B", "CSVLogger", "Recorder"]
    finally:
        trackers[0].close()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("logger=csv", "+logger.csv.mode=x"), r"logger\.csv\.mode: there is no such option"),
        (("logger=none", "+logger.mine._target_=nothing.Here"), "nothing.Here: cannot be imported"),
    ],
)
def test_a_wrong_logger_is_refused_before_anything_is_written(
    overrides: tuple[str, ...], message: str, compose: Compose, tmp_path: Path
) -> None:
    options = [word for word in SMALL if not word.startswith("logger")]
    with pytest.raises(ConfigError, match=message):
        build(compose("model=vae", *options, *overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", ["train", "evaluate"])
@pytest.mark.parametrize("choice", ["logger=none", "logger=[]"])
def test_no_logger_is_no_tracker(
    choice: str, script: str, compose: Compose, tmp_path: Path
) -> None:
    node = compose(choice, script=script).logger
    check_loggers(node)
    assert build_trackers(node, tmp_path, CONFIG) == []


def test_what_does_not_start_is_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert build_trackers(own("absent"), tmp_path, CONFIG) == []
    [line] = [record.getMessage() for record in caplog.records]
    assert line == (
        "absent does not start (No module named 'a_service'): the run goes on without, and its "
        "folder gets everything."
    )


def test_what_fails_is_told_once_and_gets_nothing_more(
    tmp_path: Path, picture: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "reslag_vae")
    trackers = build_trackers(own("Broken"), tmp_path, CONFIG)
    log_all(trackers[0], picture)
    assert trackers[0].off
    assert only(trackers).pictures == []
    [line] = [record.getMessage() for record in caplog.records]
    assert line == (
        "Broken has failed and gets nothing more of this run (OSError: No space left on device); "
        "the run's folder gets everything."
    )

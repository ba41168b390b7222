"""Whole runs on a GPU: stopped and resumed, on another device, and evaluated."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from omegaconf import DictConfig
from torch import Tensor

from reslag_vae.evaluation.main import evaluate
from reslag_vae.runs.load import load
from reslag_vae.training.build import build
from reslag_vae.training.callbacks import callbacks_of
from tests.graphs import Graphs, repeated

Compose = Callable[..., DictConfig]
Train = Callable[[DictConfig, Path], float]

EPOCHS = 3
METRICS = ("train/rec", "val/rec", "val/kl", "images_seen", "lr/inference")
OPTIONS = (
    "data=digits",
    "model=lagging",
    "schedule.epochs=1",
    "optimizer.clip_norm=1",
    "optimizer.skip_above=4",
    f"trainer.max_epochs={EPOCHS}",
    "logger=none",
    "callbacks.progress=null",
)


@pytest.fixture
def configured(compose: Compose, small: tuple[str, ...]) -> Callable[..., DictConfig]:
    """The configuration of a run, on a kind of device."""

    def made(kind: str) -> DictConfig:
        return compose(*OPTIONS, *small, f"trainer.accelerator={kind}")

    return made


class Stop(Callback):
    """Ends a run after its second epoch, as an interruption does."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt


def stopped(config: DictConfig, folder: Path) -> Path:
    """Train two epochs of three, and return the last checkpoint."""
    torch.manual_seed(0)
    data, model, trainer = build(config, folder)
    callbacks_of(trainer).append(Stop())
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        trainer.fit(model, data)
    return folder / "checkpoints" / "last.ckpt"


def finished(config: DictConfig, folder: Path, checkpoint: Path | None = None) -> dict[str, float]:
    """Train to the end, and return the metrics of the last epoch."""
    torch.manual_seed(0)
    data, model, trainer = build(config, folder)
    if config.trainer.accelerator == "cpu":
        callbacks_of(trainer).append(Graphs(repeated))
    trainer.fit(model, data, ckpt_path=checkpoint, weights_only=True)
    assert model.graphed is not None
    assert not model.graphed.failed
    assert trainer.current_epoch == EPOCHS
    return {name: float(trainer.callback_metrics[name]) for name in METRICS}


def test_a_resumed_run_goes_on_as_if_uninterrupted(
    configured: Callable[..., DictConfig], device: torch.device, tmp_path: Path
) -> None:
    config = configured(device.type)
    whole = finished(config, tmp_path / "whole")
    parts = finished(config, tmp_path / "parts", stopped(config, tmp_path / "parts"))
    assert parts == pytest.approx(whole, rel=0.03)


@pytest.mark.parametrize("there", [True, False])
def test_a_run_goes_on_on_another_device(
    there: bool, configured: Callable[..., DictConfig], device: torch.device, tmp_path: Path
) -> None:
    kinds = ("cpu", device.type) if there else (device.type, "cpu")
    checkpoint = stopped(configured(kinds[0]), tmp_path)
    moved = finished(configured(kinds[1]), tmp_path, checkpoint)
    whole = finished(configured(kinds[0]), tmp_path / "whole")
    # By other noise: devices draw numbers of their own.
    assert moved["val/rec"] == pytest.approx(whole["val/rec"], rel=0.2)


@pytest.fixture
def evaluated(
    train: Train, configured: Callable[..., DictConfig], device: torch.device, tmp_path: Path
) -> Path:
    """A finished run of the GPU."""
    train(configured(device.type), tmp_path / "run")
    return tmp_path / "run"


def test_a_model_of_a_gpu_is_loaded_on_a_cpu(evaluated: Path, device: torch.device) -> None:
    model, images = load(evaluated), torch.rand(4, 1, 28, 28)
    assert model.parameter.device.type == "cpu"
    codes = model.encode(images)
    there = load(evaluated).to(device).encode(images)
    torch.testing.assert_close(there.cpu(), codes, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(own, Tensor) and own.is_cuda for own in model.buffers())


# What is trained or fitted on the way follows every rounding, and the clock its own way.
UNSTABLE = (
    "classifier",
    "distance",
    "precision",
    "recall",
    "density",
    "coverage",
    "accuracy",
    "probe",
    "neighbours",
    "mixture",
    "memory",
    "seconds",
)


def test_an_evaluation_is_that_of_the_cpu(
    evaluated: Path, compose: Compose, device: torch.device, tmp_path: Path
) -> None:
    shutil.copytree(evaluated, tmp_path / "cpu")
    results = []
    for folder, kind in ((evaluated, device.type), (tmp_path / "cpu", "cpu")):
        options = ("samples=4", "reference=64", "train_images=128", "tsne=0", "figures=false")
        names = (f"run={folder}", f"device={kind}", f"out={tmp_path / 'out'}", "logger=none")
        evaluate(compose(*names, *options, script="evaluate"))
        results.append(json.loads((folder / "evaluation.json").read_text()))
    first, second = (dict(numbers(own)) for own in results)
    assert first.keys() == second.keys()
    compared = [name for name in first if not any(word in name for word in UNSTABLE)]
    assert len(compared) > 20
    far = [
        f"{name}: {first[name]:.6g} and {second[name]:.6g}"
        for name in compared
        if first[name] != pytest.approx(second[name], rel=5e-3, abs=5e-3, nan_ok=True)
    ]
    assert far == []


def numbers(node: Any, name: str = "") -> list[tuple[str, float]]:
    """Return all numbers of an evaluation by their path."""
    if isinstance(node, dict):
        return [own for key, value in node.items() for own in numbers(value, f"{name}.{key}")]
    if isinstance(node, list):
        return [own for i, value in enumerate(node) for own in numbers(value, f"{name}.{i}")]
    is_number = isinstance(node, int | float) and not isinstance(node, bool)
    return [(name, float(node))] if is_number else []

"""The curves of training in the folder of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning import Trainer
from PIL import Image

from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.runs.lightning_tracker import LightningTracker
from reslag_vae.training.callbacks import (
    BestAndLast,
    MetricsCSV,
    StepMetrics,
    TrainingCurves,
    curves,
)
from reslag_vae.training.callbacks.pace import DrawingPace
from reslag_vae.variants import VAE
from tests.recorder import Recorder
from tests.systems import make_system

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


def test_the_curves_are_a_picture_that_is_tracked(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    recorder = Recorder(str(tmp_path))
    callbacks = [MetricsCSV(), TrainingCurves(), BestAndLast()]
    logger = LightningTracker(recorder)
    fit(
        make_system(VAE, make_network(), "elbo"),
        make_data(),
        1,
        callbacks,
        logger=logger,
        log_every_n_steps=1,
    )
    with Image.open(tmp_path / "figures" / "curves.png") as picture:
        assert picture.width == 900
    assert recorder.pictures == [("figures/curves", "curves.png", 22)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[float], list[float]]]:
    """Epochs, and places of the entries within them, of each picture."""
    found: list[tuple[list[float], list[float]]] = []

    def draw(epochs: Any, steps: Any, title: str, monitor: str) -> None:
        assert (title, monitor) == ("VAE", "val/loss")
        found.append(([row["epoch"] for row in epochs], [row["epoch"] for row in steps]))

    monkeypatch.setattr(curves, "training_curves", draw)
    monkeypatch.setattr(curves, "save_figure", lambda *_: None)
    monkeypatch.setattr(DrawingPace, "due", True)
    return found


def test_the_curves_grow_and_a_resumed_run_goes_on_with_them(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
    drawn: list[tuple[list[float], list[float]]],
) -> None:
    def train(epochs: int, last: Path | None = None) -> None:
        callbacks = [MetricsCSV(), TrainingCurves(), BestAndLast()]
        model = make_system(VAE, make_network(), "elbo")
        fit(model, make_data(), epochs, callbacks, ckpt_path=last)

    train(2)
    train(3, tmp_path / "checkpoints" / "last.ckpt")
    assert [epochs for epochs, _ in drawn] == [[1], [1, 2], [1, 2, 3]]


def test_a_long_epoch_is_drawn_before_it_ends(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    drawn: list[tuple[list[float], list[float]]],
) -> None:
    callbacks = [StepMetrics(every=3), MetricsCSV(), TrainingCurves(), BestAndLast()]
    data = make_data(train=20, batch_size=4)
    fit(make_system(VAE, make_network(), "elbo"), data, 1, callbacks)
    assert drawn == [([], [0.6]), ([1], [0.6])]

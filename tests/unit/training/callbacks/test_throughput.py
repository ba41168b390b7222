"""Speed, without validation."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lightning import Callback, LightningModule, Trainer

from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.training.callbacks import Throughput
from reslag_vae.training.schedules import Lagging
from reslag_vae.variants import LaggingVAE
from tests.systems import make_system

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("reslag_vae.training.callbacks.throughput.time", self)

    def perf_counter(self) -> float:
        return self.now


class Slow(Callback):
    """A training batch takes 2 seconds and a validation 50."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_train_batch_end(self, *args: object) -> None:
        self.clock.now += 2

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.clock.now += 50


def test_speed_is_that_of_training_alone(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, throughput = Clock(monkeypatch), Throughput()
    model = make_system(LaggingVAE, make_network(), "elbo", Lagging(ratio=2, epochs=1))
    trainer = fit(model, make_data(), 2, [Slow(clock), throughput], num_sanity_val_steps=1)
    # 22 images in 3 batches; those of encoder-only updates are not counted again.
    assert (throughput.images, throughput.seconds) == (44, 12)
    assert throughput.images_per_second == pytest.approx(44 / 12)
    metrics = trainer.callback_metrics
    assert float(metrics["images_per_second"]) == pytest.approx(22 / 6)
    assert float(metrics["lr/inference"]) == float(metrics["lr/generative"]) == pytest.approx(2e-3)


def test_totals_go_on_after_an_interruption(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, data, path = Clock(monkeypatch), make_data(), tmp_path / "a.ckpt"
    callbacks = [Slow(clock), Throughput()]
    fit(
        make_system(LaggingVAE, make_network(), "elbo", Lagging(epochs=0)), data, 1, callbacks
    ).save_checkpoint(path)
    later = Throughput()
    fit(
        make_system(LaggingVAE, make_network(), "elbo", Lagging(epochs=0)),
        data,
        3,
        [Slow(clock), later],
        ckpt_path=path,
    )
    assert (later.images, later.seconds) == (66, 18)


def test_without_an_epoch_there_is_no_speed() -> None:
    assert Throughput().images_per_second == 0

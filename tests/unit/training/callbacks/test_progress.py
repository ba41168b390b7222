"""What a person sees."""

import logging
from collections.abc import Callable

import pytest
from lightning import Callback, LightningModule, Trainer

from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.training.callbacks import (
    BestAndLast,
    CollapseMonitor,
    EpochReport,
    ProgressBar,
    Throughput,
)
from reslag_vae.training.schedules import Lagging
from reslag_vae.variants import LaggingVAE, MMDInfoVAE
from tests.systems import Fed, make_system

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.message
        for record in caplog.records
        if record.name == "reslag_vae.training.callbacks.progress"
    ]


def test_every_epoch_is_reported_in_one_line(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = make_system(LaggingVAE, make_network(), "sigma_data", Lagging(ratio=1, epochs=1))
    monitor = CollapseMonitor()
    trainer = fit(model, make_data(), 2, [Throughput(), monitor, EpochReport(), BestAndLast()])
    first, second = lines(caplog)
    assert first.startswith("epoch 1/2 aggressive | val/loss ")
    assert second.startswith("epoch 2/2 joint | val/loss ")
    assert f"val/rec {float(trainer.callback_metrics['val/rec']):.6g}" in second
    assert "images/s" in second
    assert second.endswith(f" | {monitor.verdict}")


def test_the_report_names_the_phase_in_which_the_epoch_was_trained(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = make_system(
        LaggingVAE, make_network(), "elbo", Lagging(ratio=1, epochs=3, until="mutual_information")
    )
    Fed(model, mutual_information=[0.3, 0.2, 0.1])
    fit(model, make_data(), 3, [EpochReport(), BestAndLast()])
    assert model.schedule.phase_ended_at == 2
    assert [line.split(" | ")[0].split()[-1] for line in lines(caplog)] == [
        "aggressive",
        "aggressive",
        "joint",
    ]


def test_the_bar_shows_the_running_means(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model, bar = make_system(MMDInfoVAE, make_network(), "mmd"), ProgressBar()
    assert (
        bar.get_metrics(Trainer(logger=False, accelerator="cpu", enable_checkpointing=False), model)
        == {}
    )
    trainer = fit(model, make_data(), callbacks=[bar], enable_progress_bar=True)
    shown = bar.get_metrics(trainer, model)
    assert list(shown) == ["loss", "rec", "kl", "mmd"]
    assert shown["loss"] == f"{float(trainer.callback_metrics['train/loss']):.4g}"


def test_every_epoch_has_a_speed_however_short(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    bar, speeds = ProgressBar(interval=1_000.0), []

    class Speeds(Callback):
        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            speeds.append(bar.train_progress_bar.speed)

    fit(
        make_system(MMDInfoVAE, make_network(), "mmd"),
        make_data(),
        2,
        [bar, Speeds()],
        enable_progress_bar=True,
    )
    assert len(speeds) == 2
    assert all(speeds)


def test_the_bar_reads_the_device_at_intervals(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each minibatch takes a second of this clock: 5 of the 9 are due for update every two, the last
    # one always is.
    clock = iter(range(1_000))
    monkeypatch.setattr("reslag_vae.training.callbacks.progress.monotonic", lambda: next(clock))
    bar, updates = ProgressBar(interval=2.0), []
    bar.get_metrics = lambda trainer, model: updates.append(trainer.fit_loop.batch_idx) or {}  # type: ignore[method-assign, func-returns-value]
    fit(
        make_system(MMDInfoVAE, make_network(), "mmd"),
        make_data(train=70),
        callbacks=[bar],
        enable_progress_bar=True,
    )
    assert updates[:5] == [0, 2, 4, 6, 8]
    assert set(updates[5:]) == {8}  # at the end of the epoch

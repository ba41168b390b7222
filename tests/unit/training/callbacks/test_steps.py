"""Terms within epochs that take long."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning import Trainer

from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.runs.folder import read_rows
from reslag_vae.runs.lightning_tracker import LightningTracker
from reslag_vae.training.callbacks import (
    BestAndLast,
    MetricsCSV,
    StepMetrics,
    TrainingCurves,
    steps,
)
from reslag_vae.variants import VAE
from tests.recorder import Recorder
from tests.systems import make_system

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


def test_entries_are_means_since_the_entry_before(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    """Of 5 minibatches the means of the first two and of the next two; then the epoch's row."""
    model, recorder = make_system(VAE, make_network(), "elbo"), Recorder(str(tmp_path))
    losses: list[float] = []
    add = model.training_step

    def training_step(batch: Any, batch_idx: int) -> Any:
        result = add(batch, batch_idx)
        losses.append(float(result["loss"]))
        return result

    model.training_step = training_step  # type: ignore[method-assign]
    callbacks = [StepMetrics(every=2), MetricsCSV()]
    logger = LightningTracker(recorder)
    data = make_data(train=20, batch_size=4)
    fit(model, data, 2, callbacks, logger=logger, log_every_n_steps=1)
    rows = read_rows(tmp_path / "steps.csv")
    assert [row["epoch"] for row in rows] == pytest.approx([0.4, 0.8, 1.4, 1.8])
    assert [row["images_seen"] for row in rows] == [8, 16, 28, 36]
    pairs = [losses[0:2], losses[2:4], losses[5:7], losses[7:9]]
    assert [row["step/loss"] for row in rows] == pytest.approx([sum(own) / 2 for own in pairs])
    logged = [(row["step/loss"], step) for row, step in recorder.rows if "step/loss" in row]
    assert logged == [(row["step/loss"], row["images_seen"]) for row in rows]


def test_a_short_epoch_has_no_entry(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    fit(make_system(VAE, make_network(), "elbo"), make_data(), 1, [StepMetrics()])
    assert not (tmp_path / "steps.csv").exists()


def test_a_long_epoch_has_an_entry_a_minute(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steps, "SECONDS", 0.0)
    data = make_data(train=20, batch_size=4)
    fit(make_system(VAE, make_network(), "elbo"), data, 1, [StepMetrics()])
    assert len(read_rows(tmp_path / "steps.csv")) == 4  # after the last comes the epoch's own


def test_a_resumed_run_takes_up_the_entries_of_the_finished_epochs(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    data = make_data(train=20, batch_size=4)

    def train(epochs: int, last: Path | None = None) -> None:
        callbacks = [StepMetrics(every=2), BestAndLast()]
        fit(make_system(VAE, make_network(), "elbo"), data, epochs, callbacks, ckpt_path=last)

    train(1)
    before = (tmp_path / "steps.csv").read_text()
    # Killed in the second epoch, which begins anew.
    terms = ",9.0" * (before.partition("\n")[0].count(",") - 1)
    (tmp_path / "steps.csv").write_text(f"{before}1.4,28.0{terms}\n")
    train(2, tmp_path / "checkpoints" / "last.ckpt")
    rows = read_rows(tmp_path / "steps.csv")
    assert [row["images_seen"] for row in rows] == [8, 16, 28, 36]
    assert (tmp_path / "steps.csv").read_text().startswith(before)
    assert rows[2]["step/loss"] != 9.0


def test_damaged_entries_begin_anew_with_a_word(
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "steps.csv").write_text("half a line")
    data = make_data(train=20, batch_size=4)
    fit(make_system(VAE, make_network(), "elbo"), data, 1, [StepMetrics(every=3)])
    assert len(read_rows(tmp_path / "steps.csv")) == 1
    assert "steps.csv is damaged" in caplog.text


@pytest.mark.parametrize("name", ["steps.csv", "metrics.csv"])
def test_damaged_tables_cost_no_epoch(
    name: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    def train(epochs: int, last: Path | None = None) -> None:
        callbacks = [StepMetrics(every=2), MetricsCSV(), TrainingCurves(), BestAndLast()]
        model, data = make_system(VAE, make_network(), "elbo"), make_data(train=20, batch_size=4)
        fit(model, data, epochs, callbacks, ckpt_path=last)

    train(1)
    (tmp_path / name).write_text("garbage\n")
    train(2, tmp_path / "checkpoints" / "last.ckpt")
    assert [row["epoch"] for row in read_rows(tmp_path / "metrics.csv")] == [1, 2]
    assert read_rows(tmp_path / "steps.csv")[-1]["epoch"] == pytest.approx(1.8)


def test_entries_without_their_place_are_left_out(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    (tmp_path / "steps.csv").write_text("epoch,images_seen,step/loss\n0.5,,1.0\n")
    fit(make_system(VAE, make_network(), "elbo"), make_data(), 1, [StepMetrics()])
    assert not (tmp_path / "steps.csv").exists()

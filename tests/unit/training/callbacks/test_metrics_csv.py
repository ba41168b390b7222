"""One row an epoch."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from lightning import Trainer

from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.training.callbacks import BestAndLast, MetricsCSV, Sigma2Statistics, Throughput
from reslag_vae.training.callbacks.metrics_csv import as_csv
from reslag_vae.variants import VAE
from tests.systems import make_system

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_epoch_has_a_row_with_every_metric(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    model = make_system(VAE, make_network(), "sigma_optimal")
    trainer = fit(
        model, make_data(), 3, [Sigma2Statistics(), Throughput(), MetricsCSV(), BestAndLast()]
    )
    found = rows(tmp_path)
    assert [row["epoch"] for row in found] == ["1", "2", "3"]
    assert [float(row["images_seen"]) for row in found] == [22, 44, 66]
    wanted = {
        f"{split}/{name}"
        for split in ("train", "val")
        for name in ("loss", "distortion", "rec", "kl", "sigma2", "elbo")
    }
    wanted |= {
        "val/mutual_information",
        "sigma2/mean",
        "lr/inference",
        "lr/generative",
        "images_per_second",
    }
    assert wanted <= set(found[0])
    assert float(found[2]["val/loss"]) == pytest.approx(float(trainer.callback_metrics["val/loss"]))
    assert float(found[1]["train/loss"]) != float(found[2]["train/loss"])
    assert all(value for row in found for value in row.values())


def test_a_resumed_run_has_each_epoch_once(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    data = make_data()
    fit(make_system(VAE, make_network(), "elbo"), data, 2, [MetricsCSV(), BestAndLast()])
    before = rows(tmp_path)
    # What was written after the last checkpoint is not part of the run that goes on.
    (tmp_path / "metrics.csv").write_text("half a line")
    last = tmp_path / "checkpoints" / "last.ckpt"
    fit(
        make_system(VAE, make_network(), "elbo"),
        data,
        4,
        [MetricsCSV(), BestAndLast()],
        ckpt_path=last,
    )
    after = rows(tmp_path)
    assert [row["epoch"] for row in after] == ["1", "2", "3", "4"]
    assert after[:2] == before


def test_a_missing_value_is_empty() -> None:
    assert (
        as_csv([{"epoch": 1, "a": 2.5}, {"epoch": 2, "b": 1e-9}]) == "epoch,a,b\n1,2.5,\n2,,1e-09\n"
    )

"""Rows of tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reslag_vae.report.finished import read_finished
from reslag_vae.report.rows import Row, rows_of
from reslag_vae.report.statistics import Estimate, estimate
from reslag_vae.runs import RunError

MakeRun = Callable[..., Path]


def rows(study: Path) -> dict[str, list[Row]]:
    return rows_of(read_finished(study))


def test_rows_and_data_sets_are_in_the_order_of_the_thesis(make_run: MakeRun, study: Path) -> None:
    for place, model, objective in (
        ("zebras/vae/seed_0", "vae", "elbo"),
        ("fashion_mnist/reslag_light-sigma_data/seed_0", "reslag_light", "sigma_data"),
        ("fashion_mnist/beta_vae-beta_10/seed_0", "beta_vae", "beta"),
        ("fashion_mnist/beta_vae-beta_2/seed_0", "beta_vae", "beta"),
        ("fashion_mnist/optimal_sigma-sigma_optimal/seed_0", "optimal_sigma", "sigma_optimal"),
        ("fashion_mnist/optimal_sigma-sigma_data/seed_0", "optimal_sigma", "sigma_data"),
        ("fashion_mnist/autoencoder/seed_0", "autoencoder", "reconstruction"),
        ("mnist/vae/seed_0", "vae", "elbo"),
    ):
        make_run(place, model=model, objective=objective)
    found = rows(study)
    assert list(found) == ["mnist", "fashion_mnist", "zebras"]
    assert [row.title for row in found["fashion_mnist"]] == [
        "AutoEncoder",
        "beta-VAE, beta 2",
        "beta-VAE, beta 10",
        "Optimal Sigma VAE",
        "Optimal Sigma VAE, sigma_optimal",
        "ResLag VAE (light)",
    ]


def test_numbers_are_means_over_seeds(make_run: MakeRun, study: Path) -> None:
    for seed, rec in enumerate((10.0, 11.0, 13.0)):
        make_run(f"mnist/optimal_sigma-sigma_data/seed_{seed}", rec=rec, kl=20.0)
    [row] = rows(study)["mnist"]
    assert [run.seed for run in row.runs] == [0, 1, 2]
    assert row.term("rec") == estimate([10.0, 11.0, 13.0])
    assert row.term("lat") == Estimate(20.0, 0.0, 3)
    assert row.term("mmd") is None


@pytest.mark.parametrize(("objective", "lat"), [("beta", 2.0), ("mmd", 2.0), ("sigma_data", 20.0), ("elbo", 20.0)])
def test_lat_is_averaged_where_the_thesis_averages(objective: str, lat: float, make_run: MakeRun, study: Path) -> None:
    make_run("mnist/row/seed_0", objective=objective, kl=20.0)
    [row] = rows(study)["mnist"]
    assert row.term("lat") == Estimate(lat, None, 1)


def test_the_thesis_printed_its_own_objectives_alone(make_run: MakeRun, study: Path) -> None:
    make_run("fashion_mnist/optimal_sigma-sigma_data/seed_0")
    make_run("fashion_mnist/optimal_sigma-sigma_optimal/seed_0", objective="sigma_optimal")
    make_run("fashion_mnist/optimal_sigma-sigma_data-ratio_3/seed_0")
    make_run("fashion_mnist/vae/seed_0", model="vae", objective="elbo")
    printed = {row.name: row.printed.get("total") for row in rows(study)["fashion_mnist"]}
    assert printed == {
        "optimal_sigma-sigma_data": -751.9987,
        "optimal_sigma-sigma_optimal": None,
        "optimal_sigma-sigma_data-ratio_3": None,
        "vae": None,
    }


@pytest.mark.parametrize(
    ("settings", "caveat"),
    [
        ({"network.latent_dim": 64}, "latent 64, the thesis' 10"),
        ({"network.blocks": [2, 2, 1]}, "convolution blocks 5, the thesis' 3"),
        ({"optimizer.lr": 0.001}, "learning rate 0.001, the thesis' 0.002"),
        ({"schedule.ratio": 1}, "ratio 1, the thesis' 3"),
        ({"schedule.epochs": 20}, "aggressive epochs 20, the thesis' 5"),
    ],
)
def test_other_settings_than_the_thesis_prints_are_told(
    settings: dict[str, Any], caveat: str, make_run: MakeRun, study: Path
) -> None:
    make_run("fashion_mnist/lagging-sigma_data/seed_0", model="lagging", settings=settings)
    [row] = rows(study)["fashion_mnist"]
    assert row.caveats == [caveat]


def test_an_axis_of_the_study_is_no_caveat(make_run: MakeRun, study: Path) -> None:
    place = "fashion_mnist/lagging-sigma_data-ratio_1/seed_0"
    make_run(place, model="lagging", settings={"schedule.ratio": 1})
    [row] = rows(study)["fashion_mnist"]
    assert (row.caveats, row.title, row.printed) == ([], "Lagging VAE, ratio 1", {})


def test_a_run_that_was_told_to_stop_is_short_one_that_stopped_itself_is_not(make_run: MakeRun, study: Path) -> None:
    planned: dict[str, Any] = {"settings": {"trainer.max_epochs": 40}, "epochs": 12}
    make_run("fashion_mnist/a/seed_0", stopped_because="learning rate 4e-05 fell below 5e-05", **planned)
    make_run("mnist/a/seed_0", stopped_because="the trainer was told to stop after 12 of 40 epochs", **planned)
    found = {data: group[0].caveats for data, group in rows(study).items()}
    assert found == {"fashion_mnist": [], "mnist": ["12 of 40 epochs"]}


def test_runs_of_a_row_differ_in_their_seeds_alone(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/vae/seed_0")
    make_run("mnist/vae/seed_1", settings={"optimizer.lr": 0.1})
    with pytest.raises(RunError, match=r"seed_1 differ in more than their seeds \(optimizer\.lr=0\.002 and 0\.1"):
        rows(study)


def test_what_is_not_the_experiment_of_the_thesis_says_so(make_run: MakeRun, study: Path) -> None:
    make_run("fashion_mnist/a/seed_0")
    make_run("mnist/a/seed_0", images=(16_564, 871, 50))
    make_run("cifar10_folder/a/seed_0", epochs=4, images=(47_500, 2_500, 50))
    make_run("digits/a/seed_0", epochs=1)
    found = {data: group[0].caveats for data, group in rows(study).items()}
    assert found == {
        "fashion_mnist": [],
        "mnist": ["17,435 of 60,000 training images"],
        "cifar10_folder": ["4 of 40 epochs", "saved as pictures, not the official pixels"],
        "digits": [],
    }


def test_a_number_that_was_drawn_is_shown_with_three_digits(make_run: MakeRun, study: Path) -> None:
    place = "fashion_mnist/beta_vae-tuned-beta_1.5119336467641016/seed_0"
    make_run(place, model="beta_vae", settings={"objective.beta": 1.5119336467641016})
    [row] = rows(study)["fashion_mnist"]
    assert row.axes == ["tuned", "beta 1.51"]

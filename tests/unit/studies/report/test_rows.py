"""Rows of tables."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from omegaconf import DictConfig, OmegaConf

from reslag_vae.runs.errors import RunError
from reslag_vae.runs.formats import write_arrays
from reslag_vae.studies.report.caveats import setting_caveats
from reslag_vae.studies.report.finished import read_finished_runs
from reslag_vae.studies.report.grouping import rows_of
from reslag_vae.studies.report.rows import Row, implied_sigma2
from reslag_vae.studies.report.statistics import Estimate, estimate
from reslag_vae.studies.report.thesis_comparison import compare_with_thesis
from tests.running import ROOT

MakeRun = Callable[..., Path]


def rows(study: Path) -> dict[str, list[Row]]:
    return rows_of(read_finished_runs(study))


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


def test_an_objective_with_another_likelihood_is_named_once(make_run: MakeRun, study: Path) -> None:
    place = "binarized_mnist/vae-elbo-bernoulli-latent_dim_64/seed_0"
    make_run(place, model="vae", objective="elbo, bernoulli")
    [row] = rows(study)["binarized_mnist"]
    assert row.title == "VAE, elbo, bernoulli, latent dim 64"


def test_numbers_are_means_over_seeds(make_run: MakeRun, study: Path) -> None:
    for seed, rec in enumerate((10.0, 11.0, 13.0)):
        make_run(f"mnist/optimal_sigma-sigma_data/seed_{seed}", rec=rec, kl=20.0)
    [row] = rows(study)["mnist"]
    assert [run.seed for run in row.runs] == [0, 1, 2]
    assert row.term("rec") == estimate([10.0, 11.0, 13.0])
    assert row.term("lat") == Estimate(20.0, 0.0, 3)
    assert row.term("mmd") is None


@pytest.mark.parametrize(
    ("objective", "lat"),
    [
        ("beta", 2.0),
        ("mmd", 2.0),
        ("beta, bernoulli", 2.0),
        ("sigma_data", 20.0),
        ("elbo", 20.0),
        ("elbo, bernoulli", 20.0),
    ],
)
def test_lat_is_averaged_where_the_thesis_averages(
    objective: str, lat: float, make_run: MakeRun, study: Path
) -> None:
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
        ({"schedule.ratio": "adaptive"}, "ratio adaptive, the thesis' 3"),
        ({"schedule.epochs": 20}, "aggressive epochs 20, the thesis' 5"),
        ({"condition.kind": "label"}, "p(x|y), y the image's label"),
    ],
)
def test_other_settings_than_the_thesis_prints_are_told(
    settings: dict[str, Any], caveat: str, make_run: MakeRun, study: Path
) -> None:
    make_run("fashion_mnist/lagging-sigma_data/seed_0", model="lagging", settings=settings)
    [row] = rows(study)["fashion_mnist"]
    assert row.caveats == [caveat]


def test_any_model_is_held_against_the_settings_that_it_has(
    compose: Callable[..., DictConfig],
) -> None:
    told = {}
    for path in sorted((ROOT / "conf" / "model").glob("*.yaml")):
        config = OmegaConf.to_container(compose(f"model={path.stem}", "data=cifar10"), resolve=True)
        run: Any = SimpleNamespace(data="cifar10", config=config)
        told[path.stem] = setting_caveats(run)
    assert told["vq_vae"] == ["convolution blocks 4, the thesis' 5"]
    assert told["lagging"] == []


def test_an_axis_of_the_study_is_no_caveat(make_run: MakeRun, study: Path) -> None:
    place = "fashion_mnist/lagging-sigma_data-ratio_1/seed_0"
    make_run(place, model="lagging", settings={"schedule.ratio": 1})
    [row] = rows(study)["fashion_mnist"]
    assert (row.caveats, row.title, row.printed) == ([], "Lagging VAE, ratio 1", {})


def test_a_run_that_was_told_to_stop_is_short_one_that_stopped_itself_is_not(
    make_run: MakeRun, study: Path
) -> None:
    planned: dict[str, Any] = {"settings": {"trainer.max_epochs": 40}, "epochs": 12}
    make_run(
        "fashion_mnist/a/seed_0", stopped_because="learning rate 4e-05 fell below 5e-05", **planned
    )
    make_run(
        "mnist/a/seed_0",
        stopped_because="the trainer was told to stop after 12 of 40 epochs",
        **planned,
    )
    found = {data: group[0].caveats for data, group in rows(study).items()}
    assert found == {"fashion_mnist": [], "mnist": ["12 of 40 epochs"]}


def test_runs_of_a_row_differ_in_their_seeds_alone(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/vae/seed_0")
    make_run("mnist/vae/seed_1", settings={"optimizer.lr": 0.1})
    with pytest.raises(
        RunError, match=r"seed_1 differ in more than their seeds \(optimizer\.lr=0\.002 and 0\.1"
    ):
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
        "cifar10_folder": [
            "4 of 40 epochs",
            "picture files, whose pixels need not be the official ones",
        ],
        "digits": [],
    }


def test_a_number_that_was_drawn_is_shown_with_three_digits(make_run: MakeRun, study: Path) -> None:
    place = "fashion_mnist/beta_vae-tuned-beta_1.5119336467641016/seed_0"
    make_run(place, model="beta_vae", settings={"objective.beta": 1.5119336467641016})
    [row] = rows(study)["fashion_mnist"]
    assert row.axes == ["tuned", "beta 1.51"]


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_total_is_held_against_the_thesis_at_its_own_variance(
    make_run: MakeRun, study: Path
) -> None:
    """The variance of the thesis' row (Rec 12.1918, Lat 14.1663, Total -751.9987) is 0.12508."""
    for seed in range(3):
        make_run(
            f"fashion_mnist/optimal_sigma-sigma_data/seed_{seed}",
            rec=12.1918 + 0.01 * (seed - 1),
            kl=14.1663,
            loss=-9999.0 + seed,
        )
    [row] = rows(study)["fashion_mnist"]
    assert row.total_at_thesis_sigma2 is not None
    assert row.total_at_thesis_sigma2.mean == pytest.approx(-751.9987)
    assert implied_sigma2(12.1918, 14.1663, -751.9987, 784) == pytest.approx(0.12508, abs=1e-5)
    assert compare_with_thesis(row, "total").verdict == "within"
    make_run("fashion_mnist/optimal_sigma-sigma_optimal/seed_0", objective="sigma_optimal")
    assert rows(study)["fashion_mnist"][1].total_at_thesis_sigma2 is None


def test_a_run_that_saw_a_part_of_its_data_says_so(make_run: MakeRun, study: Path) -> None:
    """Also one that was edited to look whole."""
    folder = make_run("fashion_mnist/vae/seed_0", model="vae", objective="elbo")
    (folder / "metrics.csv").write_text("epoch,images_seen\n1,480\n40,19200\n")
    [row] = rows(study)["fashion_mnist"]
    assert row.caveats == ["19,200 images seen, where its epochs have 2,280,000"]
    (folder / "metrics.csv").write_text("epoch,images_seen\n40,2280000\n")
    assert rows(study)["fashion_mnist"][0].caveats == []
    config = (
        (folder / "config.yaml")
        .read_text()
        .replace("max_epochs: 40", "max_epochs: 40\n  limit_train_batches: 15")
    )
    (folder / "config.yaml").write_text(config.replace("\ndata:\n", "\ndata:\n  batch_size: 256\n"))
    assert rows(study)["fashion_mnist"][0].caveats == [
        "limit_train_batches 15",
        "batch size 256, where the thesis' Figure 5 speaks for 32",
    ]


@pytest.mark.parametrize(
    ("limit", "caveats"),
    [(1, ["limit_val_batches 1"]), (1.0, []), (0.5, ["limit_val_batches 0.5"])],
)
def test_a_limit_of_one_is_that_of_one_minibatch(
    limit: float, caveats: list[str], make_run: MakeRun, study: Path
) -> None:
    settings = {"trainer.limit_val_batches": limit}
    make_run("fashion_mnist/vae/seed_0", model="vae", objective="elbo", settings=settings)
    assert rows(study)["fashion_mnist"][0].caveats == caveats


def test_what_is_unusual_about_the_data_is_told(make_run: MakeRun, study: Path) -> None:
    folder = make_run("zebras/vae/seed_0", objective="elbo")
    rewrite(
        folder / "metrics.json",
        inventory={"notes": ["3 files have several pages"], "digests": {"test": "a"}},
    )
    assert rows(study)["zebras"][0].caveats == ["3 files have several pages"]


def test_runs_on_other_test_images_are_no_seeds_of_one_row(make_run: MakeRun, study: Path) -> None:
    for seed, digest in enumerate("ab"):
        folder = make_run(f"mnist/vae/seed_{seed}", objective="elbo")
        rewrite(folder / "metrics.json", inventory={"notes": [], "digests": {"test": digest}})
    with pytest.raises(RunError, match="were tested on different images"):
        rows(study)


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": 5},
        {"images": [1, 2]},
        {"images": {"train": True, "val": 1, "test": 1}},
        {"test": {"rec": "x", "loss": 1.0}},
        {"test": {"rec": 1.0, "loss": 1.0, "kl": "x"}},
        {"test": None},
        {"val": [1]},
        {"epoch": "3"},
        {"epochs_run": 2.5},
        {"parameters": 3},
        {"yardstick_sigma2": "x"},
        {"inventory": "x"},
    ],
)
def test_a_result_of_wrong_types_is_one_sentence(
    changes: Any, make_run: MakeRun, study: Path
) -> None:
    folder = make_run("mnist/vae/seed_0", objective="elbo")
    rewrite(folder / "metrics.json", **changes)
    with pytest.raises(RunError, match=r"metrics\.json is damaged") as error:
        rows(study)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "arrays",
    [
        {"rec": np.zeros((2, 2), np.float32)},
        {"rec": np.float32(1)},
        {"rec": np.array(["a", "b"])},
        {"rec": np.zeros(3, np.float32), "kl": np.zeros(2, np.float32)},
        {"rec": np.zeros(3, np.int64)},
    ],
)
def test_values_of_images_that_are_none_are_one_sentence(
    arrays: Any, make_run: MakeRun, study: Path
) -> None:
    folder = make_run("mnist/vae/seed_0", objective="elbo")
    write_arrays(folder / "per_image.npz", arrays)
    with pytest.raises(RunError, match=r"per_image\.npz is damaged: "):
        rows(study)


def test_arrays_that_would_fill_the_memory_are_refused(make_run: MakeRun, study: Path) -> None:
    folder = make_run("mnist/vae/seed_0", objective="elbo")
    write_arrays(folder / "per_image.npz", {"rec": np.zeros(80_000_000, np.float32)})
    with pytest.raises(RunError, match=r"per_image\.npz is damaged: it would take"):
        rows(study)

"""Runs read back."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reslag_vae.runs.errors import RunError
from reslag_vae.runs.formats import write_arrays
from reslag_vae.studies.report.finished import read_finished_runs
from reslag_vae.studies.report.grouping import rows_of
from reslag_vae.studies.report.thesis import title_of

MakeRun = Callable[..., Path]


def test_every_finished_run_is_read(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/vae/seed_1", model="vae", objective="elbo", rec=20.0)
    make_run(
        "mnist/optimal_sigma-sigma_data/seed_0", evaluation={"samples": {"fid": {"value": 3.5}}}
    )
    # Neither is finished.
    (study / "results/mnist/lagging/seed_0").mkdir(parents=True)
    first, second = read_finished_runs(study)
    assert (first.data, first.row, first.seed) == ("mnist", "optimal_sigma-sigma_data", 0)
    assert (second.row, second.seed, second.result["test"]["rec"]) == ("vae", 1, 20.0)
    assert first.dimensions == 784
    assert len(first.history) == 3
    assert first.per_image["rec"].mean() == pytest.approx(10, abs=0.5)
    assert (
        first.evaluation_value("samples", "fid"),
        second.evaluation_value("samples", "fid"),
    ) == (3.5, None)
    assert first.picture("reconstructions") is None


def test_a_run_on_drawn_pixels_is_of_a_data_set_of_its_own(make_run: MakeRun, study: Path) -> None:
    """Also where no folder says so: nothing of it stands beside the thesis' numbers."""
    folder = make_run("mnist/optimal_sigma-sigma_data/seed_0")
    ((data, [row]),) = rows_of(read_finished_runs(study)).items()
    assert (data, bool(row.printed)) == ("mnist", True)
    result = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(result | {"data": "mnist_dynamic"}))
    ((data, [row]),) = rows_of(read_finished_runs(study)).items()
    assert (data, bool(row.printed)) == ("mnist_dynamic", False)
    assert title_of("mnist_dynamic") == "MNIST, dynamic binarisation"
    assert title_of("binarized_mnist") == "MNIST, static binarisation"


def test_folders_of_other_names_are_left_alone(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/vae/seed_0")
    (study / "results/mnist/vae/seed_0").rename(study / "results/mnist/vae/seed_0_old")
    make_run("mnist/vae/seed_12")
    assert [run.seed for run in read_finished_runs(study)] == [12]
    # The results may be named themselves.
    assert len(read_finished_runs(study / "results")) == 1


def test_numbers_that_an_evaluation_does_not_have_are_none(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/vae/seed_0", evaluation={"reconstruction": 3, "samples": {"fid": None}})
    [run] = read_finished_runs(study)
    assert [
        run.evaluation_value(*path)
        for path in (("reconstruction", "ssim"), ("samples", "fid"), ("a", "b"))
    ] == [None] * 3


def test_an_evaluation_of_another_epoch_is_refused(make_run: MakeRun, study: Path) -> None:
    folder = make_run("mnist/vae/seed_0", evaluation={})
    (folder / "evaluation.json").write_text('{"numbers": {}, "epoch": 1}')
    with pytest.raises(
        RunError, match=r"evaluation\.json is of epoch 1, and the run's result of epoch 39"
    ):
        read_finished_runs(study)


def test_bounds_of_another_evaluation_are_refused(make_run: MakeRun, study: Path) -> None:
    number = {"importance_weighted_bound": {"value": -80.0}}
    folder = make_run("mnist/vae/seed_0", evaluation={"likelihood": number})
    bounds = {"importance_weighted_bound": np.array([-79.0, -81.0])}
    write_arrays(folder / "evaluation.npz", bounds)
    [run] = read_finished_runs(study)
    np.testing.assert_array_equal(run.evaluated["importance_weighted_bound"], [-79, -81])
    write_arrays(folder / "evaluation.npz", {"importance_weighted_bound": np.array([-70.0, -81.0])})
    with pytest.raises(RunError, match=r"evaluation\.npz is not of the evaluation in"):
        read_finished_runs(study)


def test_powers_are_values_whose_mean_is_the_sharpness(make_run: MakeRun, study: Path) -> None:
    number = {"sharpness_samples": {"value": 0.5}}
    folder = make_run("mnist/vae/seed_0", evaluation={"sharpness": number})
    powers = {"upper_power_originals": np.array([1.0, 3.0])}
    write_arrays(folder / "evaluation.npz", powers | {"upper_power_samples": np.array([0.5, 1.5])})
    [run] = read_finished_runs(study)
    np.testing.assert_allclose(run.evaluated["sharpness_samples"], [0.5, 0.5])
    write_arrays(folder / "evaluation.npz", powers | {"upper_power_samples": np.array([0.6, 1.5])})
    with pytest.raises(RunError, match=r"evaluation\.npz is not of the evaluation in"):
        read_finished_runs(study)


def test_a_folder_without_results_is_named(study: Path) -> None:
    with pytest.raises(RunError, match="has no finished run"):
        read_finished_runs(study)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", '{"val": '),
        ("metrics.json", '{"val": {}}'),
        ("metrics.json", '{"test": {}, "images": {}}'),
        ("metrics.csv", "nothing\n1\n"),
        ("config.yaml", "a: ["),
        ("config.yaml", "a: 1"),
        ("per_image.npz", "PK"),
        ("evaluation.json", "{"),
        ("evaluation.json", "[]"),
        ("evaluation.json", '{"numbers": {}, "epoch": 39, "spectra": [1]}'),
        ("evaluation.json", '{"numbers": {}, "epoch": 39, "spectra": {"frequencies": [1]}}'),
        (
            "evaluation.json",
            '{"numbers": {}, "epoch": 39, "spectra": {"frequencies": [1], "originals": ["a"]}}',
        ),
        (
            "evaluation.json",
            '{"numbers": {}, "epoch": 39, "spectra": {"frequencies": [1, 2], "originals": [1]}}',
        ),
    ],
)
def test_a_damaged_file_is_named(name: str, content: str, make_run: MakeRun, study: Path) -> None:
    folder = make_run("mnist/vae/seed_0")
    (folder / name).write_text(content)
    with pytest.raises(RunError, match=f"{folder}.* damaged"):
        read_finished_runs(study)


@pytest.mark.parametrize("value", ["Infinity", "-1e300", "1e300"])
def test_a_number_that_no_run_has_is_refused(value: str, make_run: MakeRun, study: Path) -> None:
    path = make_run("mnist/vae/seed_0") / "metrics.json"
    content = json.loads(path.read_text())
    content["test"]["rec"] = "here"
    path.write_text(json.dumps(content).replace('"here"', value))
    with pytest.raises(RunError, match="is damaged"):
        read_finished_runs(study)

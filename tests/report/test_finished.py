"""Runs read back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reslag_vae.report.finished import read_finished
from reslag_vae.runs import RunError

MakeRun = Callable[..., Path]


def test_every_finished_run_is_read(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/vae/seed_1", model="vae", objective="elbo", rec=20.0)
    make_run("mnist/optimal_sigma-sigma_data/seed_0", evaluation={"samples": {"fid": {"value": 3.5}}})
    # Neither is finished.
    (study / "results/mnist/lagging/seed_0").mkdir(parents=True)
    first, second = read_finished(study)
    assert (first.data, first.row, first.seed) == ("mnist", "optimal_sigma-sigma_data", 0)
    assert (second.row, second.seed, second.result["test"]["rec"]) == ("vae", 1, 20.0)
    assert first.dimensions == 784
    assert len(first.history) == 3
    assert first.per_image["rec"].mean() == pytest.approx(10, abs=0.5)
    assert (first.evaluated("samples", "fid"), second.evaluated("samples", "fid")) == (3.5, None)
    assert first.picture("reconstructions") is None


def test_a_folder_without_results_is_named(study: Path) -> None:
    with pytest.raises(RunError, match="has no finished run"):
        read_finished(study)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", '{"val": '),
        ("metrics.json", '{"val": {}}'),
        ("metrics.csv", "nothing\n1\n"),
        ("config.yaml", "a: ["),
        ("config.yaml", "a: 1"),
        ("per_image.npz", "PK"),
        ("evaluation.json", "{"),
        ("evaluation.json", "[]"),
    ],
)
def test_a_damaged_file_is_named(name: str, content: str, make_run: MakeRun, study: Path) -> None:
    folder = make_run("mnist/vae/seed_0")
    (folder / name).write_text(content)
    with pytest.raises(RunError, match=f"{folder}.* damaged"):
        read_finished(study)

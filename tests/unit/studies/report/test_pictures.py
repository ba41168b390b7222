"""The pictures of a report."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from reslag_vae.evaluation import pictures as drawing
from reslag_vae.runs.formats import write_arrays
from reslag_vae.studies.report import pictures as module
from reslag_vae.studies.report.finished import read_finished_runs
from reslag_vae.studies.report.grouping import rows_of
from reslag_vae.studies.report.pictures import pictures_of

MakeRun = Callable[..., Path]


def keep_images(folder: Path, originals: int = 0) -> None:
    """What training keeps of a run's pictures."""
    shape = (16, 1, 4, 4)
    images = {
        "originals": np.full(shape, originals, dtype=np.uint8),
        "reconstructions": np.full(shape, 51, dtype=np.uint8),
        "prior_samples": np.full(shape, 102, dtype=np.uint8),
    }
    write_arrays(folder / "figures" / "images.npz", images)


@pytest.fixture
def study_of_two(make_run: MakeRun, study: Path) -> Path:
    for objective in ("sigma_data", "sigma_optimal"):
        keep_images(make_run(f"mnist/optimal_sigma-{objective}/seed_0", objective=objective))
    return study


def test_originals_are_drawn_once_and_rows_name_their_objective(
    study_of_two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Tensor, dict[str, Tensor]]] = []
    draw = drawing.reconstructions
    monkeypatch.setattr(
        module.pictures,
        "reconstructions",
        lambda originals, models: drawn.append((originals, models)) or draw(originals, models),
    )
    rows = rows_of(read_finished_runs(study_of_two))["mnist"]
    [(caption, uri)] = pictures_of(rows, "reconstructions")
    titles = ["Optimal Sigma VAE", "Optimal Sigma VAE, sigma_optimal"]
    assert caption == "; ".join(titles)
    [(originals, models)] = drawn
    assert originals.unique().tolist() == [0]
    assert list(models) == titles
    assert models[titles[0]].unique().tolist() == pytest.approx([0.2])
    content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.width > 800


def test_other_originals_have_a_picture_of_their_own(study_of_two: Path, make_run: MakeRun) -> None:
    keep_images(make_run("mnist/vae/seed_0", model="vae", objective="elbo"), originals=9)
    rows = rows_of(read_finished_runs(study_of_two))["mnist"]
    captions = [caption for caption, _ in pictures_of(rows, "reconstructions")]
    assert sorted(captions) == ["Optimal Sigma VAE; Optimal Sigma VAE, sigma_optimal", "VAE"]
    # Samples have no originals.
    assert len(pictures_of(rows, "prior_samples")) == 1


def test_a_run_of_an_earlier_version_has_the_picture_that_it_has_drawn(
    make_run: MakeRun, study: Path
) -> None:
    folder = make_run("mnist/vae/seed_0", model="vae", objective="elbo")
    (folder / "figures").mkdir()
    Image.new("L", (4, 4)).save(folder / "figures" / "prior_samples.png")
    rows = rows_of(read_finished_runs(study))["mnist"]
    assert [caption for caption, _ in pictures_of(rows, "prior_samples")] == ["VAE"]
    assert pictures_of(rows, "reconstructions") == []


def test_faces_are_not_passed_on(make_run: MakeRun, study: Path) -> None:
    keep_images(make_run("celeba/vae/seed_0", model="vae", objective="elbo"))
    rows = rows_of(read_finished_runs(study))["celeba"]
    assert pictures_of(rows, "reconstructions") == []
    assert len(pictures_of(rows, "prior_samples")) == 1

"""The table of all systems: which rows stand in it, beside which, and what is said of them."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reslag_vae import latents
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import drawn_images_file
from reslag_vae.runs.formats import write_arrays
from reslag_vae.studies.report.command import build
from reslag_vae.studies.report.equal_rate import alone, bands_of
from reslag_vae.studies.report.systems import Systems, published, systems_of
from reslag_vae.studies.report.systems_table import systems_markdown
from reslag_vae.studies.report.thesis import SETTINGS, TITLES
from reslag_vae.variants.titles import BY_NAME

MakeRun = Callable[..., Path]
InStudy = Callable[..., Path]

BERNOULLI = {"likelihood._target_": "reslag_vae.likelihoods.Bernoulli"}
# Without a likelihood it would be the configuration of an earlier version, which had no priors.
FLOW = {
    "likelihood._target_": "reslag_vae.likelihoods.Gaussian",
    "prior._target_": "reslag_vae.latents.FlowPrior",
}
WRITTEN = ["systems.html", "systems.md", "systems.csv"]


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """A folder of studies."""
    return tmp_path / "studies"


@pytest.fixture
def in_study(make_run: MakeRun, studies: Path) -> InStudy:
    """Make a run of a study; `digest` is of its test images, `val` changes its validation."""

    def make(
        study: str,
        place: str,
        digest: str | None = "a",
        val: dict[str, float] | None = None,
        evaluated: dict[str, int] | None = None,
        **options: Any,
    ) -> Path:
        target = studies / study / "results" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(make_run(place, **options), target)
        result = json.loads((target / "metrics.json").read_text())
        result["val"] |= val or {}
        if digest is not None:
            result["inventory"] = {"digests": {"test": digest}}
        (target / "metrics.json").write_text(json.dumps(result))
        if evaluated is not None:
            evaluation = json.loads((target / "evaluation.json").read_text())
            (target / "evaluation.json").write_text(
                json.dumps(evaluation | {"settings": evaluated})
            )
        return target

    return make


def rows_of(found: list[Systems]) -> dict[str, list[tuple[str, str]]]:
    return {own.place: [(each.study, each.row.name) for each in own.systems] for own in found}


def test_the_best_row_by_validation_stands_for_a_variant_and_its_prior(
    in_study: InStudy, studies: Path
) -> None:
    # The second has the better test images, and was not chosen by them.
    in_study("one", "mnist/vae/seed_0", model="vae", rec=12, val={"elbo": 500.0})
    in_study("two", "mnist/vae-beta_1/seed_0", model="vae", rec=9, val={"elbo": 400.0})
    in_study("two", "mnist/vae-flow/seed_0", model="vae", rec=10, settings=FLOW)
    in_study("two", "mnist/autoencoder/seed_0", model="autoencoder", kl=None, rec=5)
    [group] = systems_of(studies)
    assert rows_of([group]) == {
        "mnist": [("two", "vae-flow"), ("one", "vae"), ("two", "autoencoder")]
    }
    assert [own.rows for own in group.systems] == [1, 2, 1]


def test_rows_stand_together_that_were_tested_on_the_same_images_by_likelihoods_of_one_kind(
    in_study: InStudy, studies: Path
) -> None:
    for digest, name in (("a", "one"), ("b", "other")):
        in_study(name, "mnist/vae/seed_0", digest, model="vae")
        in_study(name, "mnist/lagging/seed_0", digest, model="lagging", rec=9)
    in_study("one", "mnist/biva/seed_0", "b", model="biva", rec=8)
    in_study("one", "mnist/pixelcnn/seed_0", "a", model="pixelcnn", settings=BERNOULLI)
    in_study("one", "cifar10/vae/seed_0", "a", model="vae")
    told = {"condition.kind": "label"}
    in_study("told", "mnist/vae-label/seed_0", "a", model="vae", rec=1, settings=told)
    in_study("few", "mnist/vae/seed_0", "a", model="vae", rec=1, images=(100, 10, 50))
    found = systems_of(studies)
    assert rows_of(found) == {
        "mnist": [("one", "biva"), ("other", "lagging"), ("other", "vae")],
        "mnist_2": [("one", "lagging"), ("one", "vae")],
    }
    assert [own.title for own in found] == ["MNIST", "MNIST, 50 test images"]


@pytest.mark.parametrize(
    ("images", "together"), [((57_000, 3_000, 50), True), ((57_000, 3_000, 49), False)]
)
def test_a_row_that_kept_no_digest_stands_where_name_and_number_leave_no_doubt(
    images: tuple[int, int, int], together: bool, in_study: InStudy, studies: Path
) -> None:
    in_study("new", "mnist/vae/seed_0", model="vae")
    in_study("new", "mnist/lagging/seed_0", model="lagging")
    in_study("old", "mnist/biva/seed_0", None, model="biva", images=images)
    [group] = systems_of(studies)
    assert len(group.systems) == 2 + together


def test_a_row_that_kept_no_digest_stands_nowhere_in_doubt(
    in_study: InStudy, studies: Path
) -> None:
    for digest in "ab":
        in_study(digest, "mnist/vae/seed_0", digest, model="vae")
        in_study(digest, "mnist/lagging/seed_0", digest, model="lagging")
    in_study("old", "mnist/biva/seed_0", None, model="biva")
    assert [len(own.systems) for own in systems_of(studies)] == [2, 2]


def test_what_stands_alone_is_no_table(in_study: InStudy, studies: Path) -> None:
    in_study("one", "mnist/vae/seed_0", model="vae")
    in_study("one", "cifar10/vae/seed_0", "b", model="vae")
    with pytest.raises(RunError, match="studies has no two systems"):
        systems_of(studies)


@pytest.fixture
def binarized(in_study: InStudy, studies: Path) -> Path:
    """Three systems, of which two were evaluated on as many images, and two have drawn images."""
    numbers = {
        "samples": {
            "classifier_frechet_prior": {"value": 1.25},
            "classifier_frechet_reconstructions": {"value": 0.5},
        },
        "likelihood": {"importance_weighted_bound": {"value": -80.125}},
    }
    for name, model, reference in (("one", "vae", 50), ("two", "biva", 50), ("two", "vdvae", 20)):
        place = f"binarized_mnist/{model}/seed_0"
        folder = in_study(
            *(name, place),
            model=model,
            settings=BERNOULLI,
            evaluation=numbers,
            evaluated={"samples": 500, "reference": reference},
            seconds=1,
        )
        if model != "vdvae":
            (folder / "figures").mkdir()
            images = np.full((16, 1, 8, 8), 99, np.uint8)
            write_arrays(
                drawn_images_file(folder), {"originals": images, "reconstructions": images}
            )
    return studies


def test_every_file_says_it(binarized: Path, tmp_path: Path) -> None:
    paths = build(binarized, tmp_path / "out")
    assert [path.name for path in paths] == [*WRITTEN, "systems_binarized_mnist.png"]
    page, text, table, picture = (path.read_bytes() for path in paths)
    paper = "[78.59](https://arxiv.org/abs/1902.02102) (six levels, 1,000 samples)"
    cells = (
        f"80.12 (500; 50) | {paper} | 17.0 | 10.00 | 0.50 | 1.25 | 1,234 | 40 | 0.03 | 1 | two |"
    )
    assert "](two/results/binarized_mnist/biva/) | " in text.decode()
    assert b"<small>results/binarized_mnist/biva/</small>" in page
    assert re.search(r"\| \[BIVA.* \| -\d+\.\d\d \| " + re.escape(cells), text.decode())
    # Distances of fewer images are smaller or larger for that alone.
    assert "| - | 17.0 | 10.00 | - | - | 1,234 |" in text.decode().split("| [VDVAE")[1]
    rows = list(csv.DictReader(table.decode().splitlines()))
    assert [row["model"] for row in rows] == ["vae", "biva", "vdvae"]
    assert rows[1]["iw_bound"] == "80.125"
    assert rows[1]["published"] == "78.59"
    assert rows[2]["frechet_samples"] == rows[2]["published"] == ""
    assert b"<small>six levels, 1,000 samples; arxiv.org/abs/1902.02102</small>" in page
    assert page.count(b"data:image/png") == 1
    with Image.open(paths[3]) as drawn:
        assert drawn.size[0] > 16 * 8
    again = build(binarized, tmp_path / "again")
    assert [path.read_bytes() for path in again] == [page, text, table, picture]


def test_systems_stand_together_at_an_equal_rate(in_study: InStudy, studies: Path) -> None:
    for name, model, rate, rec, val in (
        ("vae", "vae", 20.0, 12.0, 1.0),
        # Its best row of all is far from the others' rate; of two that are near, that one stands
        # for it which is better on validation images.
        ("lagging-a", "lagging", 40.0, 5.0, 9.0),
        ("lagging-b", "lagging", 20.9, 11.0, 5.0),
        ("lagging-c", "lagging", 20.5, 9.0, 2.0),
        ("biva", "biva", 19.1, 13.0, 1.0),
        ("vdvae", "vdvae", 90.0, 3.0, 1.0),
        ("autoencoder", "autoencoder", None, 4.0, 1.0),
    ):
        in_study("one", f"mnist/{name}/seed_0", model=model, kl=rate, rec=rec, val={"elbo": val})
    [group] = systems_of(studies)
    # Around 20, from which biva and lagging-b are 5% or less, and not from each other.
    [band] = bands_of(group)
    assert band.centre == 20.0
    assert [(own.row.name, own.rec.mean) for own in band.points] == [
        ("lagging-b", 11.0),
        ("vae", 12.0),
        ("biva", 13.0),
    ]
    assert alone(group, [band]) == "No other system is near VDVAE, sigma_data (90.0 nats)."
    assert alone(group, []) == "At no rate do two systems have a Rec."
    text = systems_markdown([group])
    per_image = np.load(band.points[0].row.runs[0].folder / "per_image.npz")["rec"]
    error = per_image.std(ddof=1) / np.sqrt(50)
    assert "| around 20.0 nats |  |  |  |  |  |\n" in text
    assert re.search(rf"\| \[Lagging VAE, b.* \| 20\.9.* \| 11\.00 ± {error:.2f} \| 40 \| 1 ", text)


def test_a_system_that_no_band_has_is_not_alone_for_that(in_study: InStudy, studies: Path) -> None:
    rates = {"vae": 96.0, "lagging": 100.0, "biva": 104.0, "vdvae": 108.0}
    for name, rate in rates.items():
        in_study("one", f"mnist/{name}/seed_0", model=name, kl=rate, val={"elbo": 1.0})
    [group] = systems_of(studies)
    [band] = bands_of(group)
    assert "vdvae" not in [own.row.name for own in band.points]
    # biva is within 5% of it.
    assert alone(group, [band]) == ""


def test_pictures_that_may_not_be_passed_on_are_not_drawn(in_study: InStudy, studies: Path) -> None:
    for model in ("vae", "lagging"):
        folder = in_study("one", f"celeba/{model}/seed_0", model=model)
        (folder / "figures").mkdir()
        images = np.zeros((16, 3, 8, 8), np.uint8)
        write_arrays(drawn_images_file(folder), {"originals": images, "reconstructions": images})
    assert [path.name for path in build(studies, studies)] == WRITTEN


def test_what_papers_report_is_of_systems_and_data_that_are_here() -> None:
    priors = {own.name for own in vars(latents).values() if hasattr(own, "name")}
    for (data, model, prior), own in published().items():
        assert data in {*SETTINGS, *TITLES}
        assert model in BY_NAME
        assert prior in priors
        assert own.source.startswith("https://")
        assert 0 < own.value < 100


def test_the_committed_table_is_that_of_the_committed_runs(tmp_path: Path) -> None:
    experiments = Path(__file__).parents[4] / "experiments"
    for path in build(experiments, tmp_path)[1:3]:
        assert path.read_text() == (experiments / path.name).read_text()

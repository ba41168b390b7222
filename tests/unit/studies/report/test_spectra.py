"""The figure of power spectra of all systems."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from reslag_vae.studies.report.command import build
from reslag_vae.studies.report.finished import read_finished_runs
from reslag_vae.studies.report.grouping import rows_of
from reslag_vae.studies.report.spectra import left_out, power_spectra, spectra_file

MakeRun = Callable[..., Path]

ORIGINALS = [4.0, 1.0, 0.25]


def add_spectra(folder: Path, originals: list[float], **sources: list[float | None]) -> None:
    """Give a run an evaluation with spectra."""
    frequencies = [0.125, 0.25, 0.5][: len(originals)]
    spectra = {"frequencies": frequencies, "originals": originals} | sources
    content = {"numbers": {}, "epoch": 39, "spectra": spectra | {"unit": "power"}}
    (folder / "evaluation.json").write_text(json.dumps(content))


def drawn(study: Path) -> Figure:
    figure = power_spectra(rows_of(read_finished_runs(study))["mnist"])
    assert figure is not None
    return figure


def test_originals_and_every_system_are_drawn_together(make_run: MakeRun, study: Path) -> None:
    for seed in range(2):
        folder = make_run(f"mnist/vae/seed_{seed}", model="vae", objective="elbo")
        powers = [4.0, 0.5, 0.1 + 0.1 * seed]
        add_spectra(folder, ORIGINALS, reconstructions=powers, samples=[3.0, 0.4, None])
    add_spectra(make_run("mnist/pixelcnn/seed_0", model="pixelcnn"), ORIGINALS, samples=ORIGINALS)
    make_run("mnist/optimal_sigma/seed_0")  # evaluated by an earlier version
    other = make_run("mnist/lagging/seed_0", model="lagging")
    add_spectra(other, [4.0, 1.0, 0.26], samples=ORIGINALS)  # of other images
    said = left_out(rows_of(read_finished_runs(study))["mnist"])
    assert said.startswith(
        "Not in the figure, since their evaluations have no spectra of these images: "
    )
    assert ("Lagging" in said, "Optimal Sigma" in said, "PixelCNN" in said) == (True, True, False)
    figure = drawn(study)
    above, below = figure.axes
    assert [(axis.get_xscale(), axis.get_yscale()) for axis in figure.axes] == [("log", "log")] * 2
    lines = [
        {to_hex(line.get_color()): list(line.get_ydata()) for line in axis.lines}
        for axis in (above, below)
    ]
    assert [len(own) for own in lines] == [2, 3]
    assert all(own["#000000"] == ORIGINALS for own in lines)
    [colour] = lines[0].keys() - {"#000000"}
    # Means over seeds; what is not finite is left out.
    assert lines[0][colour] == pytest.approx([4.0, 0.5, 0.15])
    assert lines[1][colour] == pytest.approx([3.0, 0.4, float("nan")], nan_ok=True)
    [legend] = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert sorted(text.split(",")[0] for text in texts) == [
        "PixelCNN",
        "VAE",
        "originals",
        "upper half",
    ]


def test_the_report_has_the_figure_and_makes_the_same_again(make_run: MakeRun, study: Path) -> None:
    add_spectra(make_run("mnist/vae/seed_0", model="vae"), ORIGINALS, samples=[3.0, 0.4, 0.1])
    paths = build(study, study)
    assert paths[-1].name == "spectra_mnist.png"
    before = {path: path.read_bytes() for path in paths}
    assert "](spectra_mnist.png)" in (study / "report.md").read_text()
    assert {path: path.read_bytes() for path in build(study, study)} == before
    assert before[paths[-1]].startswith(b"\x89PNG")


def test_without_spectra_there_is_no_figure(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/vae/seed_0", model="vae")
    rows = rows_of(read_finished_runs(study))["mnist"]
    assert power_spectra(rows) is None
    add_spectra(rows[0].runs[0].folder, [], samples=[])  # images of one pixel
    assert power_spectra(rows_of(read_finished_runs(study))["mnist"]) is None
    assert "spectra" not in (build(study, study)[1]).read_text()


def test_a_data_set_of_any_name_has_a_file_of_its_folder() -> None:
    assert spectra_file("cifar10_folder") == "spectra_cifar10_folder.png"
    assert spectra_file("../<x>") == "spectra_____x_.png"

"""Plots: what is drawn where."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from reslag_vae.studies.report.finished import read_finished_runs
from reslag_vae.studies.report.grouping import rows_of
from reslag_vae.studies.report.plots import curves, rates, svg
from reslag_vae.studies.report.rows import Row

MakeRun = Callable[..., Path]


def rows(study: Path) -> list[Row]:
    return rows_of(read_finished_runs(study))["mnist"]


def lines(figure: Figure) -> list[tuple[str, str, Any]]:
    """Label, colour and points of every line."""
    [axis] = figure.axes
    return [
        (str(line.get_label()), to_hex(line.get_color()), np.array(line.get_xydata()))
        for line in axis.get_lines()
    ]


def test_curves_are_means_over_seeds_and_thin_single_ones(make_run: MakeRun, study: Path) -> None:
    for seed in range(2):
        make_run(f"mnist/optimal_sigma-sigma_data/seed_{seed}", rec=10.0 + 2 * seed)
    make_run("mnist/optimal_sigma-sigma_optimal/seed_0", objective="sigma_optimal", rec=8.0)
    figure = curves(rows(study), "val/rec", "Rec")
    drawn = lines(figure)
    named = {label: points for label, _, points in drawn if not label.startswith("_")}
    assert set(named) == {"Optimal Sigma VAE", "Optimal Sigma VAE, sigma_optimal"}
    # The made-up rows fall as 30 over the epoch and one more, above rec.
    assert named["Optimal Sigma VAE"].tolist() == [[1, 26], [2, 21], [3, 18.5]]
    assert len(drawn) == 4
    assert len({color for _, color, _ in drawn}) == 2


def test_rows_without_the_number_are_left_out(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/optimal_sigma-sigma_data/seed_0")
    folder = make_run(
        "mnist/autoencoder/seed_0", model="autoencoder", objective="reconstruction", kl=None
    )
    (folder / "metrics.csv").write_text("epoch,val/rec\n1,3.5\n")
    assert [label for label, *_ in lines(curves(rows(study), "val/elbo", "ELBO"))] == [
        "Optimal Sigma VAE"
    ]


def test_every_run_is_a_point_and_a_sweep_a_curve(make_run: MakeRun, study: Path) -> None:
    for beta, rec, kl in ((1, 9.0, 20.0), (4, 12.0, 10.0)):
        settings = {"objective.beta": beta}
        make_run(
            f"mnist/beta_vae-beta_{beta}/seed_0",
            model="beta_vae",
            objective="beta",
            rec=rec,
            kl=kl,
            settings=settings,
        )
    make_run("mnist/optimal_sigma-sigma_data/seed_0", rec=10.0, kl=17.0)
    figure = rates(rows(study), pca=19.5)
    named = {
        label: points.tolist() for label, _, points in lines(figure) if not label.startswith("_")
    }
    assert named["Optimal Sigma VAE"] == [[17, 10]]
    assert named["beta-VAE"] == [[20, 9], [10, 12]]
    assert [y for _, y in named["PCA, the linear limit"]] == [19.5, 19.5]
    assert {text.get_text() for text in figure.axes[0].texts} == {"β 1", "β 4"}


def test_colours_of_both_plots_are_the_same(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/vae/seed_0", model="vae", objective="elbo")
    make_run("mnist/optimal_sigma-sigma_data/seed_0")
    colors = [
        {label: color for label, color, _ in lines(figure) if not label.startswith("_")}
        for figure in (curves(rows(study), "val/rec", "Rec"), rates(rows(study), None))
    ]
    assert colors[0] == colors[1]


def test_the_same_figure_is_the_same_file(make_run: MakeRun, study: Path) -> None:
    make_run("mnist/vae/seed_0", model="vae", objective="elbo")
    first, second = (svg(rates(rows(study), None)) for _ in range(2))
    assert first == second
    assert first.startswith(b"<?xml")


@pytest.mark.parametrize("epochs", [1, 2])
def test_few_epochs_can_be_drawn(epochs: int, make_run: MakeRun, study: Path) -> None:
    folder = make_run("mnist/vae/seed_0", model="vae", objective="elbo")
    (folder / "metrics.csv").write_text(
        "\n".join(["epoch,val/rec", *(f"{e},5.0" for e in range(1, epochs + 1)), ""])
    )
    assert svg(curves(rows(study), "val/rec", "Rec"))

"""Tables."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from reslag_vae.runs.errors import RunError
from reslag_vae.studies.report.columns import COST, DETAIL, YARDSTICK, best, level_columns
from reslag_vae.studies.report.contents import contents_of
from reslag_vae.studies.report.finished import read_finished_runs
from reslag_vae.studies.report.grouping import rows_of
from reslag_vae.studies.report.rows import Row
from reslag_vae.studies.report.spreadsheet import as_csv, without_formula
from reslag_vae.studies.report.statistics import Estimate
from reslag_vae.studies.report.tables import (
    answer_table,
    elsewhere_note,
    number_table,
    rows_with,
    text_of,
    thesis_table,
)
from reslag_vae.studies.report.text import markdown_table
from reslag_vae.studies.report.thesis_comparison import compare_with_thesis, count_of_cells

MakeRun = Callable[..., Path]


def rows(study: Path, data: str = "fashion_mnist") -> list[Row]:
    return rows_of(read_finished_runs(study))[data]


@pytest.mark.parametrize(
    ("totals", "verdict", "reached"),
    [
        ((16.0,), "one seed", "below"),
        ((18.0,), "one seed", "missed"),
        ((16.0, 16.1, 15.9), "better", "below"),
        ((19.0, 19.1, 18.9), "worse", "missed"),
        ((17.0, 17.5, 18.5), "within", "within"),
        # Far below, but the seeds are farther from each other.
        ((16.0, 12.0, 20.0), "within", "below"),
    ],
)
def test_a_difference_to_the_thesis_has_to_exceed_what_one_more_run_may_do(
    totals: tuple[float, ...], verdict: str, reached: str, make_run: MakeRun, study: Path
) -> None:
    for seed, total in enumerate(totals):
        make_run(
            f"fashion_mnist/beta_vae/seed_{seed}", model="beta_vae", objective="beta", loss=total
        )
    [row] = rows(study)
    pair = compare_with_thesis(row, "total")
    assert (pair.printed, pair.verdict) == (pytest.approx(17.556, abs=1e-3), verdict)
    assert pair.difference == pytest.approx(sum(totals) / len(totals) - 17.556, abs=1e-3)
    assert pair.reached == reached
    # A KL is neither good nor bad.
    assert compare_with_thesis(row, "lat")[2:] == ("", None, "")
    # Rec is 10, and the thesis' 11.5.
    said = count_of_cells([row])
    assert said.startswith("Of 2 cells of Table 1")
    assert f"{1 + (reached == 'below')} are at or below" in said
    where = {"below": "", "within": "more run may be: ", "missed": "Not reached: "}[reached]
    assert (f"{where}Total of beta-VAE." in said) == (reached != "below")


def test_another_experiment_is_not_held_against_the_thesis(make_run: MakeRun, study: Path) -> None:
    for seed in range(3):
        make_run(
            f"mnist/optimal_sigma-sigma_data/seed_{seed}",
            images=(16_564, 871, 50),
            loss=-900 + 0.1 * seed,
        )
    [row] = rows(study, "mnist")
    assert compare_with_thesis(row, "total").verdict == ""
    assert "2 are at or below the thesis' number" in count_of_cells([row])
    assert count_of_cells([]) == ""


def test_the_verdict_on_a_total_stands_beside_the_number_that_it_is_of(
    make_run: MakeRun, study: Path
) -> None:
    """Under `sigma_data` that is the Total at the thesis' own variance."""
    for seed in range(3):
        place = f"fashion_mnist/optimal_sigma-sigma_data/seed_{seed}"
        make_run(place, loss=-760 - 0.02 * seed, images=(57_000, 3_000, 50))
    [row] = rows(study)
    pair = compare_with_thesis(row, "total")
    assert pair.is_of_another_variance
    assert pair.compared == row.total_at_thesis_sigma2
    assert pair.printed is not None
    assert pair.difference == pytest.approx(row.total_at_thesis_sigma2.mean - pair.printed)
    head, line = thesis_table([row])
    cells = dict(zip(head, line, strict=True))
    assert cells["Total"].endswith("0.01")
    assert cells["Total at the thesis' s2"].endswith(f" ({pair.verdict})")


def test_the_thesis_stands_beside_ours(make_run: MakeRun, study: Path) -> None:
    for seed in range(2):
        make_run(f"fashion_mnist/optimal_sigma-sigma_data/seed_{seed}", loss=-760 - 0.02 * seed)
    make_run(
        "fashion_mnist/mmd_infovae/seed_0",
        model="mmd_infovae",
        objective="mmd",
        loss=14.0,
        mmd=0.01,
    )
    assert thesis_table(rows(study)) == [
        [
            *(
                "",
                "seeds",
                "Rec, thesis",
                "Rec",
                "Lat, thesis",
                "Lat",
                "MMD, thesis",
                "MMD",
                "Total, thesis",
                "Total",
            ),
            "Total at the thesis' s2",
        ],
        [
            "MMD InfoVAE",
            "1",
            "8.29",
            "10.00",
            "7.30",
            "1.70",
            "0.0101",
            "0.0100",
            "13.34",
            "14.00",
            "-",
        ],
        [
            "Optimal Sigma VAE",
            "2",
            "12.19",
            "10.00 (better)",
            "14.17",
            "17.00",
            "-",
            "-",
            "-752.00",
            "-760.01 ± 0.01",
            "-757.93 (better)",
        ],
    ]


def test_columns_without_a_number_are_left_out_and_the_best_is_found(
    make_run: MakeRun, study: Path
) -> None:
    make_run(
        "fashion_mnist/autoencoder/seed_0",
        model="autoencoder",
        objective="reconstruction",
        rec=8.0,
        kl=None,
    )
    make_run("fashion_mnist/optimal_sigma-sigma_data/seed_0", rec=9.0)
    evaluation = {"samples": {"classifier_frechet_prior": {"value": 4.66}}}
    make_run(
        "fashion_mnist/lagging-sigma_data/seed_0", model="lagging", rec=9.5, evaluation=evaluation
    )
    own = rows(study)
    head, *body = number_table(own, YARDSTICK)
    assert head == [
        "",
        "ELBO, yardstick",
        "Rec",
        "KL, nats",
        "active units",
        "classifier Fréchet, prior",
    ]
    assert [line[-1] for line in body] == ["-", "-", "4.66"]
    assert body[0][1:4] == ["-", "8.00", "-"]
    elbo, rec_ = YARDSTICK[0], YARDSTICK[2]
    assert best(own, rec_) == 8.0
    assert best(own, elbo) == own[1].runs[0].result["test"]["elbo"]
    assert best(own[:1], rec_) is None
    assert number_table(own, COST)[1] == ["AutoEncoder", "1,234", "39", "40", "0", "100", "2,000"]


def evaluated(folder: Path, ssim: float, **settings: int) -> None:
    content = {
        "numbers": {"reconstruction": {"ssim": {"value": ssim}}},
        "epoch": 39,
        "settings": settings,
    }
    (folder / "evaluation.json").write_text(json.dumps(content))


def test_evaluations_of_different_settings_have_no_mean(make_run: MakeRun, study: Path) -> None:
    [ssim] = [column for column in YARDSTICK if column.key == "ssim"]
    for seed in (0, 1):
        evaluated(make_run(f"mnist/vae/seed_{seed}", model="vae"), 0.5 + seed, reference=100)
    [row] = rows_of(read_finished_runs(study))["mnist"]
    assert ssim.value(row) is not None
    assert not any("different settings" in note for note in contents_of(study).reading_notes)

    (study / "results/mnist/vae/seed_1/evaluation.json").unlink()
    assert not any("different settings" in note for note in contents_of(study).reading_notes)

    evaluated(study / "results/mnist/vae/seed_1", 0.6, reference=100, train_images=9)
    [row] = rows_of(read_finished_runs(study))["mnist"]
    assert ssim.value(row) is not None  # it depends on no classifier

    evaluated(study / "results/mnist/vae/seed_1", 0.6, seed=1)
    [row] = rows_of(read_finished_runs(study))["mnist"]
    assert ssim.value(row) is None
    [note] = [own for own in contents_of(study).reading_notes if "different settings" in own]
    assert note.endswith("left out: VAE, sigma_data on MNIST.")


def test_none_is_best_of_rows_that_were_evaluated_in_different_ways(
    make_run: MakeRun, study: Path
) -> None:
    [ssim] = [column for column in YARDSTICK if column.key == "ssim"]
    for name, value in (("vae", 0.5), ("lagging", 0.6)):
        evaluated(make_run(f"mnist/{name}/seed_0", model=name), value, reference=100)
    rows = rows_of(read_finished_runs(study))["mnist"]
    assert best(rows, ssim) == 0.6
    evaluated(study / "results/mnist/vae/seed_0", 0.5, seed=1)
    assert best(rows_of(read_finished_runs(study))["mnist"], ssim) is None


def test_none_is_best_of_masses_and_densities(make_run: MakeRun, study: Path) -> None:
    [elbo] = [column for column in YARDSTICK if column.key == "elbo"]
    for name, rec in (("vae", 9.0), ("lagging", 10.0)):
        make_run(f"mnist/{name}/seed_0", model=name, rec=rec)
    assert best(rows_of(read_finished_runs(study))["mnist"], elbo) is not None
    folder = study / "results/mnist/vae/seed_0"
    config = OmegaConf.load(folder / "config.yaml")
    config.likelihood = {"_target_": "reslag_vae.likelihoods.Bernoulli"}
    OmegaConf.save(config, folder / "config.yaml")
    assert best(rows_of(read_finished_runs(study))["mnist"], elbo) is None


def test_numbers_of_detail_have_their_error_over_images_beside_them(
    make_run: MakeRun, study: Path
) -> None:
    for seed, error in enumerate((0.004, 0.006)):
        own = {
            "sharpness": {"sharpness_samples": {"value": 0.3 + 0.02 * seed, "error": error}},
            "perceptual": {"lpips": {"value": 0.2}},
        }
        make_run(f"fashion_mnist/optimal_sigma-sigma_data/seed_{seed}", evaluation=own)
    make_run("fashion_mnist/vae/seed_0", model="vae", objective="elbo")
    own_rows = rows(study)
    vae, optimal = number_table(own_rows, DETAIL)[1:]
    assert number_table(own_rows, DETAIL)[0] == ["", "sharpness, samples", "± over images", "LPIPS"]
    assert vae[1:] == ["-", "-", "-"]
    assert optimal[1:] == ["0.310 ± 0.010", "0.005", "0.200"]
    assert [row.name for row in rows_with(own_rows, DETAIL)] == ["optimal_sigma-sigma_data"]


def test_levels_have_a_column_each_where_any_row_has_them(make_run: MakeRun, study: Path) -> None:
    make_run("fashion_mnist/vae/seed_0", model="vae", objective="elbo")
    assert level_columns(rows(study)) == []
    assert "kl_level_1" not in as_csv(rows_of(read_finished_runs(study)))
    levels = {"kl_level_1": 3.0, "kl_level_2": 5.25}
    make_run("fashion_mnist/ladder_vae/seed_0", model="ladder_vae", objective="elbo", **levels)
    own = rows(study)
    found = [(column.name, column.value(own[-1])) for column in level_columns(own)]
    assert found == [
        ("KL of level 1, nats", Estimate(3.0, None, 1)),
        ("KL of level 2, nats", Estimate(5.25, None, 1)),
    ]
    lines = csv.DictReader(io.StringIO(as_csv(rows_of(read_finished_runs(study)))))
    assert [line["kl_level_2"] for line in lines] == ["", "5.25"]


@pytest.mark.parametrize(
    ("own", "digits", "text"),
    [
        (None, 2, "-"),
        (Estimate(-1352.306, None, 1), 2, "-1,352.31"),
        (Estimate(-1352.306, 0.0, 2), 2, "-1,352.31"),
        (Estimate(8.194, 0.041, 3), 2, "8.19 ± 0.04"),
        (Estimate(8.194, 0.0013, 3), 2, "8.19 ± 0.001"),
        (Estimate(0.01234, 0.00056, 3), -3, "0.0123 ± 0.00056"),
        (Estimate(12345.6, 1234.5, 3), 0, "12,346 ± 1,234"),
    ],
)
def test_a_number_is_shown_with_its_error(own: Estimate | None, digits: int, text: str) -> None:
    assert text_of(own, digits) == text


def test_markdown_is_a_table() -> None:
    assert markdown_table([["", "a|b"], ["x", "1"]]) == "|  | a\\|b |\n| --- | ---: |\n| x | 1 |\n"
    assert answer_table([]) == [
        [
            "question",
            "by",
            "difference",
            "95% over images",
            "95% over seeds",
            "these models",
            "the methods",
        ]
    ]


def test_the_csv_file_has_every_number(make_run: MakeRun, study: Path) -> None:
    for seed in range(2):
        make_run(f"fashion_mnist/optimal_sigma-sigma_data/seed_{seed}", rec=10.0 + seed)
    make_run(
        "mnist/autoencoder/seed_0",
        model="autoencoder",
        objective="reconstruction",
        kl=None,
        epochs=3,
    )
    first, second = csv.DictReader(io.StringIO(as_csv(rows_of(read_finished_runs(study)))))
    assert (first["data"], first["lat"], first["rec_thesis"]) == ("mnist", "", "15.9744")
    assert first["caveats"] == "3 of 40 epochs"
    assert (second["rec"], second["rec_error"], second["seeds"]) == ("10.5", "0.5", "2")
    assert float(second["total_thesis"]) == -751.9987


def test_names_are_text_in_markdown_and_in_a_spreadsheet() -> None:
    assert markdown_table([["", "n"], ["<b>", "1"]]).splitlines()[2] == "| &lt;b&gt; | 1 |"
    for formula in ("=cmd|' C calc'!A0", "+1", "-1", "@x", "\tx"):
        assert without_formula(formula) == f"'{formula}"
    assert without_formula("vae") == "vae"


def test_a_further_test_set_has_columns_of_its_own(make_run: MakeRun, study: Path) -> None:
    for seed in range(2):
        place = f"fashion_mnist/optimal_sigma-sigma_data/seed_{seed}"
        folder = make_run(place)
        numbers = {
            "thesis": {"rec": {"value": 9.0 + seed}, "total": {"value": -700.0}},
            "yardstick": {"kl": {"value": 17.0}},
        }
        other = study / "test_sets" / "as_JPEG" / place
        other.mkdir(parents=True)
        (other / "evaluation.json").write_text(json.dumps({"numbers": numbers, "epoch": 39}))
    make_run("fashion_mnist/beta_vae/seed_0", model="beta_vae", objective="beta")
    own = rows(study)
    head, beta, sigma = thesis_table(own)
    assert beta[head.index("Rec on as JPEG")] == beta[head.index("Total on as JPEG")] == "-"
    assert sigma[head.index("Rec on as JPEG")] == "9.50 ± 0.50"
    assert sigma[head.index("Rec on as JPEG") - 1] == "10.00 (better)"
    # KL is the same, and Rec is less there.
    at_thesis = [float(sigma[i].split()[0].replace(",", "")) for i in (-2, -1)]
    assert at_thesis[1] < at_thesis[0]
    assert "from test_sets/as_JPEG." in elsewhere_note(own)
    [line, _] = csv.DictReader(io.StringIO(as_csv({"fashion_mnist": own})))
    assert line["rec_on_as_JPEG"] == ""
    (folder / "metrics.json").write_text(
        (folder / "metrics.json").read_text().replace('"epoch": 39', '"epoch": 38')
    )
    with pytest.raises(
        RunError, match=r"as_JPEG.* is of epoch 39, and the run's result of epoch 38"
    ):
        read_finished_runs(study)


def test_the_head_of_a_table_shows_the_names_of_users_as_they_are() -> None:
    head = markdown_table([["", "Rec on <b>x|y"], ["a", "1"]]).splitlines()[0]
    assert head == r"|  | Rec on &lt;b&gt;x\|y |"

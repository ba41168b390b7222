"""The runs that are not there, and the hours that they would take."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reslag_vae.studies.grid import Job
from reslag_vae.studies.report.finished import read_finished_runs
from reslag_vae.studies.report.missing import (
    Hours,
    MissingRuns,
    hours_in_all,
    hours_of,
    missing_runs,
    missing_table,
)

MakeRun = Callable[..., Path]

RECIPE = {"recipe.aggressive_epochs": 10, "recipe.ratio": 5}


def make(
    make_run: MakeRun, place: str, hours: float, model: str = "vae", aggressive: int = 0
) -> None:
    """Make a run of 40 epochs that took so many hours."""
    settings = RECIPE | ({"schedule.ratio": 5} if aggressive else {})
    settings = settings | {"data.batch_size": 32}
    path = make_run(f"{place}", model=model, settings=settings) / "metrics.json"
    result = json.loads(path.read_text())
    path.write_text(json.dumps(result | {"seconds": 3600 * hours, "aggressive_epochs": aggressive}))


def job(place: str, *overrides: str) -> Job:
    return Job(f"mnist/{place}", overrides)


@pytest.fixture
def study_of_four(make_run: MakeRun, study: Path) -> Path:
    """A row of two seeds, another of its model, and one that begins with aggressive epochs."""
    make(make_run, "mnist/vae-a/seed_0", 1.0)
    make(make_run, "mnist/vae-a/seed_1", 2.0)
    make(make_run, "mnist/vae-b/seed_0", 8.0)
    # 40 epochs, 10 of them at 4.6 joint ones, are 76.
    make(make_run, "mnist/lagging/seed_0", 7.6, "lagging", aggressive=10)
    return study


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (job("vae-a/seed_2", "model=vae"), Hours(1.5, "the same row, seed 0, 1")),
        (job("vae-c/seed_0", "model=vae"), Hours(2.0, "2 other rows of vae")),
        (
            job("vae-c/seed_0", "model=vae", "trainer.max_epochs=20"),
            Hours(1.0, "2 other rows of vae"),
        ),
        (
            job("vae-c/seed_0", "model=vae", "data.batch_size=32"),
            Hours(2.0, "2 other rows of vae"),
        ),
        # Nobody knows how long updates of other minibatches take.
        (job("vae-c/seed_0", "model=vae", "data.batch_size=16"), None),
        (job("vae-c/seed_0", "model=vae", "schedule=lagging"), Hours(3.8, "2 other rows of vae")),
        (job("lagging-c/seed_0"), Hours(7.6, "1 other row of lagging")),
        (
            job("lagging-c/seed_0", "schedule.epochs=20", "schedule.ratio=1"),
            Hours(4.8, "1 other row of lagging"),
        ),
        # By the medians of 1, 2, 4 and 8 joint hours, of which the third is that of `lagging`.
        (job("beta_vae/seed_0", "model=beta_vae"), Hours(3.0, "3 other rows")),
        (job("reslag/seed_0", "model=reslag"), Hours(5.7, "3 other rows")),
        (job("reslag/seed_0", "model=reslag", "schedule.ratio=adaptive"), None),
        (Job("celeba/vae-a/seed_0", ("model=vae",)), None),
    ],
)
def test_hours_are_those_of_the_nearest_runs(
    asked: Job, expected: Hours | None, study_of_four: Path
) -> None:
    found = hours_of(asked, read_finished_runs(study_of_four))
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.value == pytest.approx(expected.value)
        assert found.basis == expected.basis


def test_runs_of_a_minibatch_of_their_own_say_nothing_of_others(
    make_run: MakeRun, study: Path
) -> None:
    make(make_run, "mnist/vae-batch_size_16/seed_0", 1.0)
    assert hours_of(job("vae-c/seed_0", "model=vae"), read_finished_runs(study)) is None


def test_runs_that_differ_in_their_seeds_share_a_line(study_of_four: Path) -> None:
    jobs = [job(f"vae-a/seed_{seed}") for seed in range(4)]
    found = missing_runs(study_of_four, jobs, read_finished_runs(study_of_four))
    assert found == [
        MissingRuns("mnist/vae-a", ["2", "3"], "to go", Hours(1.5, "the same row, seed 0, 1"))
    ]
    assert missing_table(found)[1:] == [["mnist/vae-a", "2, 3", "1.5", "the same row, seed 0, 1"]]
    unknown = MissingRuns("celeba/vae", ["0"], "refused: no data", None)
    assert missing_table([unknown])[1:] == [["celeba/vae, refused: no data", "0", "-", "-"]]
    assert hours_in_all([*found, unknown]).startswith(
        "About 3.0 hours of training for 2 runs, one after another; not counted: 1, of which "
        "no finished run tells."
    )
    assert hours_in_all([unknown]) == "No finished run tells how long it would take."

"""Studies of real processes: stopped, started again, side by side."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reslag_vae.runs.lock import occupied
from reslag_vae.studies.plan import read_plan
from reslag_vae.studies.report.columns import YARDSTICK
from reslag_vae.studies.report.contents import contents_of
from reslag_vae.studies.report.tables import answer_table, number_table, thesis_table
from tests.running import EIGHT, ROOT, command, fork, start

pytestmark = pytest.mark.usefixtures("small_digits")

GRIDS = (
    "[{model:[vae,autoencoder],data:[digits]},"
    "{model:[optimal_sigma],objective:[sigma_data,sigma_optimal],data:[digits]}]"
)
SMALL = (
    "experiment=table1",
    f"hydra.sweeper.grids={GRIDS}",
    "hydra.sweeper.questions=[{text:Better?,first:optimal_sigma-sigma_optimal,second:vae}]",
    *EIGHT,
    "recipe.channels=[4,8]",
    "recipe.blocks=[1,1]",
    "logger=none",
    "trainer.accelerator=cpu",
    "trainer.compile=false",
    "trainer.max_epochs=2",
    "callbacks.images=null",
    "callbacks.collapse=null",
    "callbacks.curves=null",
)
ROWS = {"vae", "autoencoder", "optimal_sigma-sigma_data", "optimal_sigma-sigma_optimal"}
# What the clock says.
CLOCK = ("seconds", "images_per_second")

Sweep = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def the_code_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the processes that launchers start, too."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def in_folder(folder: Path, *arguments: str) -> list[str]:
    """Of a study: what follows train.py."""
    return [*SMALL, f"hydra.sweep.dir={folder}", *arguments]


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """Run a study in `tmp_path/<name>` to its end."""
    return lambda name, *arguments: start(tmp_path, *in_folder(tmp_path / name, *arguments))


@pytest.fixture
def launched(tmp_path: Path) -> Sweep:
    """Run a sweep with a launcher that has processes of its own.

    A forked process would wait for them at its end.
    """
    return lambda name, *arguments: subprocess.run(
        command(*in_folder(tmp_path / name, *arguments)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def said_beside(folder: Path) -> str:
    """What a process that works in a folder has said so far, in all."""
    files = [folder.with_name(f"{folder.name}.{name}") for name in ("said", "complained")]
    return "".join(file.read_text() for file in files if file.exists())


def outcome(folder: Path) -> dict[str, Any]:
    """By run, what is in metrics.json but for the clock, and the values of each image."""
    results = {}
    for path in folder.rglob("metrics.json"):
        content = {
            name: value for name, value in json.loads(path.read_text()).items() if name not in CLOCK
        }
        results[str(path.parent.relative_to(folder))] = (
            content,
            (path.parent / "per_image.npz").read_bytes(),
        )
    return results


def tables(study: Path) -> list[list[list[str]]]:
    """Those of the report, but for what the clock says."""
    [chapter] = contents_of(study).chapters
    assert chapter.data == "digits"
    return [
        thesis_table(chapter.rows),
        number_table(chapter.rows, YARDSTICK),
        answer_table(chapter.answered),
    ]


def started(log: str) -> list[str]:
    """The runs that a sweep has begun or resumed."""
    return [
        line.split()[1].rstrip(":")
        for line in log.splitlines()
        if "Training in" in line or "Resuming in" in line
    ]


@pytest.mark.slow
def test_a_killed_study_finishes_and_runs_nothing_twice(sweep: Sweep, tmp_path: Path) -> None:
    killed = tmp_path / "killed" / "results"
    process = fork(tmp_path, *in_folder(killed))
    try:
        deadline = time.monotonic() + 240
        # In the middle of the third run, or at least not before it.
        while not (killed / "digits/optimal_sigma-sigma_data/seed_0/config.yaml").exists():
            assert time.monotonic() < deadline
            assert process.is_alive(), said_beside(tmp_path)
            time.sleep(0.01)
    finally:
        process.kill()
        process.join()
    finished = {path: path.stat().st_mtime_ns for path in killed.rglob("metrics.json")}
    assert 2 <= len(finished) < 4
    again = sweep("killed/results")
    assert again.returncode == 0, again.stderr
    assert "4 of 4 runs finished" in again.stdout
    assert len(started(again.stdout)) == 4 - len(finished)
    assert all(path.stat().st_mtime_ns == before for path, before in finished.items())
    # By a launcher, in one process; test_clusters has those with several.
    whole = sweep("whole/results", "hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
    assert whole.returncode == 0, whole.stderr
    assert outcome(killed) == outcome(tmp_path / "whole/results")
    assert {name.split("/")[1] for name in outcome(killed)} == ROWS
    assert tables(tmp_path / "killed") == tables(tmp_path / "whole")
    # Once more there is nothing to do.
    idle = sweep("killed/results")
    assert idle.returncode == 0
    assert started(idle.stdout) == []


def test_a_failed_run_is_told_left_alone_and_run_once_more_on_request(
    sweep: Sweep, tmp_path: Path
) -> None:
    options = ("model=vae,autoencoder", "trainer.max_epochs=1")
    # A folder stands where the run's last file is to be.
    (tmp_path / "study/digits/vae/seed_0/per_image.npz").mkdir(parents=True)
    first = sweep("study", *options)
    assert first.returncode == 1
    assert "1 of 2 runs finished, 1 failed" in first.stdout
    assert (
        "1 of 2 runs have no result, the others are not touched by it. hydra.sweeper.retry=true"
        in first.stderr
    )
    # Why is kept with the run.
    assert (
        "cannot be written: Is a directory"
        in (tmp_path / "study/digits/vae/seed_0/train.log").read_text()
    )
    assert {name.split("/")[1] for name in outcome(tmp_path / "study")} == {"autoencoder"}
    second = sweep("study", *options)
    assert second.returncode == 1
    assert started(second.stdout) == []
    (tmp_path / "study/digits/vae/seed_0/per_image.npz").rmdir()
    third = sweep("study", *options, "hydra.sweeper.retry=true")
    assert third.returncode == 0, third.stderr
    assert started(third.stdout) == ["digits/vae/seed_0"]
    assert "2 of 2 runs finished" in third.stdout


def test_what_was_refused_is_run_as_soon_as_it_can_be(sweep: Sweep, tmp_path: Path) -> None:
    options = ("model=autoencoder", "trainer.max_epochs=1")
    first = sweep("study", *options, "monitor=val/mmd")
    assert first.returncode == 1
    assert (
        "refused: digits/autoencoder/seed_0\nmonitor=val/mmd: this model has no such metric"
        in first.stdout
    )
    second = sweep("study", *options)
    assert second.returncode == 0, second.stderr
    assert "1 of 1 runs finished" in second.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["model=vae", "seed=0,-1"],
            "vae/seed_-1: seed=-1: must be a whole number from 0 to 4294967295.",
        ),
        (
            ["model=optimal_sigma", "schedule=lagging", "schedule.epochs=3"],
            "optimal_sigma-sigma_data/seed_0: schedule.epochs=3: the aggressive phase is longer",
        ),
        (["seed=[0,1]"], "seed=[0,1]: a study takes values without brackets, as in seed=0,1,2."),
        (["hydra.sweeper.grids=[]"], "This study has no runs: hydra.sweeper.grids is empty."),
        (["hydra.run.dir=x"], "hydra.run.dir=x: has no effect, since the folder of several runs"),
        (["hydra.sweeper.retry=maybe"], "hydra.sweeper.retry=maybe: must be true or false."),
    ],
)
def test_what_can_be_refused_before_is_no_part_of_the_study(
    options: list[str], said: str, sweep: Sweep, tmp_path: Path
) -> None:
    done = sweep("study", *options)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert not (tmp_path / "study").exists()


def test_a_run_is_left_to_the_process_that_is_at_work_on_it(sweep: Sweep, tmp_path: Path) -> None:
    with occupied(tmp_path / "study/digits/vae/seed_0"):
        done = sweep("study", "model=vae,autoencoder", "trainer.max_epochs=1")
        assert done.returncode == 0, done.stderr
        assert started(done.stdout) == ["digits/autoencoder/seed_0"]
        assert "1 of 2 runs finished, 1 running" in done.stdout
        # Also where the other came between.
        options = ("model=vae", "data=digits", "logger=none", "study=mine")
        where = f"hydra.run.dir={tmp_path}/study/digits/vae/seed_0"
        alone = start(tmp_path, *options, where)
        assert alone.returncode == 0, alone.stderr
        assert "left to the other process" in alone.stdout
    assert not (tmp_path / "study/digits/vae/seed_0/failed.json").exists()


def test_one_damaged_run_hides_no_other(sweep: Sweep, tmp_path: Path) -> None:
    damaged = tmp_path / "study/digits/vae/seed_0"
    damaged.mkdir(parents=True)
    (damaged / "metrics.json").write_text('{"val": ')
    done = sweep("study", "model=vae,autoencoder", "trainer.max_epochs=1")
    assert done.returncode == 1
    assert f"damaged: digits/vae/seed_0\n{damaged / 'metrics.json'} is damaged" in done.stdout
    assert started(done.stdout) == ["digits/autoencoder/seed_0"]


def test_ctrl_c_stops_in_one_word(tmp_path: Path) -> None:
    process = fork(tmp_path, *in_folder(tmp_path / "study", "trainer.max_epochs=500"))
    try:
        deadline = time.monotonic() + 120
        while "epoch 1/500" not in said_beside(tmp_path):
            assert process.is_alive(), said_beside(tmp_path)
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        process.join(60)
        code = process.exitcode
    finally:
        process.kill()
        process.join()
    said = said_beside(tmp_path)
    assert code == 130
    assert "Stopped: start it again to go on." in said
    assert "Traceback" not in said
    assert not (tmp_path / "study/digits/vae/seed_0/failed.json").exists()


@pytest.mark.parametrize(
    ("experiment", "options", "rows"),
    [
        ("table1_pictures", ["data.folder=pictures", "model=vae"], {"vae"}),
        ("beta_sweep", ["objective.beta=4"], {"beta_vae-beta_4"}),
        ("collapse_omniglot", ["model=pixelcnn"], {"pixelcnn"}),
        (
            "lagging",
            ["schedule.ratio=1,5"],
            {f"lagging-sigma_data-ratio_{n}-epochs_5-batches_same" for n in (1, 5)},
        ),
    ],
)
def test_a_study_is_narrowed_by_its_own_axes(
    experiment: str, options: list[str], rows: set[str], tmp_path: Path
) -> None:
    """Of runs that are refused, because there are no data."""
    where = [f"hydra.sweep.dir={tmp_path}/study", f"data.root={tmp_path}/nothing", "logger=none"]
    proxy = {"http_proxy": "http://localhost:1", "https_proxy": "http://localhost:1"}
    start(tmp_path, f"experiment={experiment}", *where, *options, **proxy)
    assert {job.row for job in read_plan(tmp_path / "study").jobs} == rows


def test_a_study_starts_one_seed_after_the_other(tmp_path: Path) -> None:
    """Of runs that are refused, because there are no data."""
    where = [f"hydra.sweep.dir={tmp_path}/study", f"data.root={tmp_path}/nothing", "logger=none"]
    proxy = {"http_proxy": "http://localhost:1", "https_proxy": "http://localhost:1"}
    narrowed = ("model=vae,autoencoder", "data=mnist", "seed=1,0")
    said = start(tmp_path, "experiment=table1", *where, *narrowed, **proxy).stdout
    order = [line.split("seed=")[1][0] for line in said.splitlines() if " : model=" in line]
    assert order == ["1", "1", "0", "0"]


def test_a_study_keeps_its_settings(sweep: Sweep, tmp_path: Path) -> None:
    assert sweep("study", "model=autoencoder", "trainer.max_epochs=1").returncode == 0
    before = outcome(tmp_path / "study")
    other = sweep("study", "model=autoencoder", "trainer.max_epochs=2")
    assert other.returncode == 1
    assert (
        "holds a run with trainer.max_epochs=1, and trainer.max_epochs=2 is asked for"
        in other.stderr
    )
    assert "Traceback" not in other.stderr
    assert outcome(tmp_path / "study") == before
    # What is shown while it runs is no setting.
    assert (
        sweep(
            "study", "model=autoencoder", "trainer.max_epochs=1", "callbacks.report=null"
        ).returncode
        == 0
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "options"),
    [
        ("joblib", ["hydra.launcher.n_jobs=2"]),
        ("submitit_local", ["hydra.launcher.timeout_min=5"]),
        (
            "ray",
            [
                "++hydra.launcher.ray.init.num_cpus=2",
                "++hydra.launcher.ray.init.include_dashboard=false",
            ],
        ),
    ],
)
def test_clusters(
    launcher: str,
    options: list[str],
    sweep: Sweep,
    launched: Sweep,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the digits of the data set, which processes that are not forked have."""
    monkeypatch.delenv("DIGITS")
    small = ("model=vae,autoencoder", "trainer.max_epochs=1", "recipe.image_shape=[1,28,28]")
    done = launched(
        "study",
        *small,
        f"hydra/launcher={launcher}",
        *options,
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs finished" in done.stdout
    alone = sweep("alone", *small)
    assert alone.returncode == 0, alone.stderr
    assert outcome(tmp_path / "study") == outcome(tmp_path / "alone")
    assert {name.split("/")[1] for name in outcome(tmp_path / "study")} == {"vae", "autoencoder"}


def test_what_a_study_does_not_have_is_named(sweep: Sweep, tmp_path: Path) -> None:
    done = sweep("study", "model=vae,reslag")
    assert done.returncode == 1
    assert (
        "model=reslag is not in this study; there are vae, autoencoder, optimal_sigma."
        in done.stderr
    )
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "study").exists()


@pytest.mark.slow
def test_optuna_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    small = [option for option in SMALL if not option.startswith(("experiment=", "hydra."))]
    tuned = ["experiment=beta_tuned", *small, "data=digits"]

    def search(trials: int) -> subprocess.CompletedProcess[str]:
        return start(
            tmp_path, *tuned, f"hydra.sweep.dir={folder}", f"hydra.sweeper.n_trials={trials}"
        )

    assert search(2).returncode == 0
    first = outcome(folder)
    assert len(first) == 2
    more = search(3)
    assert more.returncode == 0, more.stderr
    # Trials follow from the seed: the first two are the same, and were not run again.
    assert len(started(more.stdout)) == 1
    results = outcome(folder)
    assert first.items() <= results.items()
    values = {name: content["monitored"] for name, (content, _) in results.items()}
    assert all(value["name"] == "val/bits_per_dim" for value in values.values())
    best = min(value["value"] for value in values.values())
    assert f"best_value: {best}" in (folder / "optimization_results.yaml").read_text()

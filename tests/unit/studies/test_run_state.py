"""How far a run is, read from its folder."""

import json
from pathlib import Path

import pytest

from reslag_vae.runs.errors import RunError
from reslag_vae.runs.lock import failure_kept, occupied
from reslag_vae.runs.migrations import SCHEMA
from reslag_vae.studies.record import read_record
from reslag_vae.studies.run_state import RunStatus, State, run_status

RESULT = {
    "model": "vae",
    "objective": "elbo",
    "epoch": 2,
    "epochs_run": 2,
    "parameters": {},
    "yardstick_sigma2": 0.1,
    "test": {"rec": 1.0, "loss": 2.0},
    "images": {"train": 3, "val": 2, "test": 1},
}
GROUPS = ("recipe", "trainer", "objective", "network", "schedule", "optimizer")
CONFIG = f"schema: {SCHEMA}\n" + "".join(f"{name}: {{a: 1}}\n" for name in GROUPS)
ROWS = "epoch,images_seen,images_per_second\n1,1000,500\n2,2000,250\n"


def begin(folder: Path) -> None:
    (folder / "config.yaml").write_text("trainer: {max_epochs: 8}\n")
    (folder / "metrics.csv").write_text(ROWS)


def test_a_run_that_has_not_begun(tmp_path: Path) -> None:
    assert run_status(tmp_path / "nothing") == RunStatus(State.TO_GO)
    # Hydra makes the folder and its log before the run begins.
    (tmp_path / "train.log").touch()
    assert run_status(tmp_path) == RunStatus(State.TO_GO)


def test_a_run_at_work_and_one_interrupted(tmp_path: Path) -> None:
    with occupied(tmp_path):
        begin(tmp_path)
        # 1,000 images at 500 a second, and as many at 250.
        assert run_status(tmp_path) == RunStatus(State.RUNNING, 2, 8, 6.0)
    assert run_status(tmp_path) == RunStatus(State.INTERRUPTED, 2, 8, 6.0)


def test_a_run_that_failed_says_why(tmp_path: Path) -> None:
    begin(tmp_path)
    with pytest.raises(ValueError, match="too large"), occupied(tmp_path), failure_kept(tmp_path):
        raise ValueError("too large\nby 3")
    assert run_status(tmp_path) == RunStatus(State.FAILED, 2, 8, 6.0, "too large\nby 3")
    # While it is run once more, and when it is interrupted then, it has not failed.
    with occupied(tmp_path), failure_kept(tmp_path):
        assert run_status(tmp_path).state is State.RUNNING
    assert run_status(tmp_path).state is State.INTERRUPTED


def test_what_failed_before_it_began_was_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no data"), failure_kept(tmp_path):
        raise ValueError("no data")
    assert run_status(tmp_path) == RunStatus(State.REFUSED, reason="no data")


def test_a_failure_that_cannot_be_read_is_one_all_the_same(tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / "failed.json").write_text("{")
    assert run_status(tmp_path).reason == f"{tmp_path / 'failed.json'} cannot be read"


def test_a_finished_run(tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "metrics.json").write_text(json.dumps(RESULT | {"seconds": 12.5}))
    assert run_status(tmp_path) == RunStatus(State.FINISHED, 2, 2, 12.5)
    (tmp_path / "metrics.json").write_text(json.dumps(RESULT | {"seconds": None}))
    assert run_status(tmp_path) == RunStatus(State.FINISHED, 2, 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", '{"a": 1}'),
        ("config.yaml", ""),
        ("config.yaml", None),
    ],
)
def test_a_finished_run_that_a_report_refuses_is_not_called_finished(
    name: str, content: str | None, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "metrics.json").write_text(json.dumps(RESULT))
    assert run_status(tmp_path).state is State.FINISHED
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    assert run_status(tmp_path).state is State.DAMAGED
    with pytest.raises(RunError) as refused:
        read_record(tmp_path)
    assert run_status(tmp_path).reason == str(refused.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", '{"epochs_run": 2, "sec'),
        ("metrics.csv", "epoch\nx\n"),
        ("config.yaml", "a: ["),
        ("config.yaml", ""),
    ],
)
def test_a_damaged_file_is_that_of_one_run(name: str, content: str, tmp_path: Path) -> None:
    begin(tmp_path)
    (tmp_path / name).write_text(content)
    found = run_status(tmp_path)
    assert found.state is State.DAMAGED
    assert f"{tmp_path / name} is damaged" in found.reason


def test_how_long_a_run_takes_follows_from_its_epochs() -> None:
    assert RunStatus(State.FINISHED, 2, 2, 12.5).expected_seconds == 12.5
    assert RunStatus(State.RUNNING, 2, 8, 6.0).expected_seconds == 24.0
    assert RunStatus(State.RUNNING, 0, 8).expected_seconds is None

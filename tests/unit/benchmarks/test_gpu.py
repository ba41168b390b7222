"""The parts of `make gpu`: their time, their turns, and the estimate; all of it in tests/soak."""

import math
import os
import shutil
import sys
import tarfile
import time
import zipfile
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig

from benchmarks import gpu_box
from benchmarks.gpu import SECONDS, TAIL, parts_of, unpacking, write_summary, zip_logs
from benchmarks.gpu_box import (
    FAILED,
    LEFT_OUT,
    OUT_OF_TIME,
    PASSED,
    Outcome,
    Part,
    run_part,
    run_parts,
)
from benchmarks.gpu_estimate import Run, first_measured, run_of, runs_of_table1, seconds_of
from benchmarks.gpu_pack import PACKAGES, pack
from benchmarks.gpu_steps import ALL, Row, cells_of, launched_singly, measured, plan, read, write
from benchmarks.gpu_toggles import TOGGLES
from benchmarks.gpu_turns import TurnsHere
from benchmarks.rounds import FinishedError, Job, Turns
from reslag_vae.models import terms
from reslag_vae.networks.upsampling import Doubling
from reslag_vae.training import system


def part(name: str, code: str, seconds: float = 60.0, beside: Part | None = None) -> Part:
    return Part(name, (sys.executable, "-c", code), seconds, beside)


def outcomes_of(parts: list[Part], folder: Path, seconds: float) -> dict[str, Outcome]:
    return {own.name: own for own in run_parts(parts, folder, seconds, {"WORD": "told"}, len)}


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_box, "GRACE", 0.5)


@pytest.mark.usefixtures("short_grace")
def test_no_part_stops_another(tmp_path: Path) -> None:
    parts = [
        part("bad", "raise SystemExit('no luck')"),
        part("killed", "import os; os.kill(os.getpid(), 9)"),
        part("good", "import os; print(os.environ['WORD'])"),
    ]
    found = outcomes_of(parts, tmp_path, 600)
    assert [own.verdict for own in found.values()] == [FAILED, FAILED, PASSED]
    assert found["killed"].words == "exit code -9"
    assert (tmp_path / "bad.txt").read_text().strip() == "no luck"
    assert (tmp_path / "good.txt").read_text().strip() == "told"


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {} time.sleep(600)"


def works(process: int) -> bool:
    """Whether a process is there, and is not merely unburied."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.usefixtures("short_grace")
def test_a_slow_part_is_ended_with_its_children_and_the_next_one_has_its_time(
    tmp_path: Path,
) -> None:
    child = tmp_path / "child"
    fork = f"import os; open({str(child)!r}, 'w').write(str(os.fork() or os.getpid()));"
    parts = [
        part("polite", "import time; time.sleep(600)", 1.0),
        part("stubborn", STUBBORN.format(fork), 1.0),
        part("last", "pass", 20.0),
    ]
    found = outcomes_of(parts, tmp_path, 23.5)
    assert [own.verdict for own in found.values()] == [OUT_OF_TIME, OUT_OF_TIME, PASSED]
    assert not works(int(child.read_text()))


@pytest.mark.usefixtures("short_grace")
def test_where_no_time_is_left_a_part_is_left_out(tmp_path: Path) -> None:
    parts = [part("long", "import time; time.sleep(600)", 1.0), part("late", "pass", 0.0)]
    found = outcomes_of(parts, tmp_path, 1.5)
    assert [own.verdict for own in found.values()] == [OUT_OF_TIME, LEFT_OUT]
    assert not (tmp_path / "late.txt").exists()


@pytest.mark.usefixtures("short_grace")
def test_a_part_beside_another_ends_with_it(tmp_path: Path) -> None:
    beside = part("beside", "import time; print('here', flush=True); time.sleep(600)")
    waits = f"import os, time\nwhile not os.path.getsize({str(tmp_path / 'beside.txt')!r}): pass"
    started = time.monotonic()
    found = outcomes_of([part("first", waits, beside=beside)], tmp_path, 600)
    assert found["first"].verdict == PASSED
    assert time.monotonic() - started < 60
    assert (tmp_path / "beside.txt").read_text() == "here\n"


def archive_of(folder: Path) -> Path:
    """An archive of one folder with two classes of pictures."""
    for name in ("cats", "dogs"):
        (folder / "cifar10" / name).mkdir(parents=True)
        (folder / "cifar10" / name / "1.png").write_bytes(b"picture")
    path = folder / "it's cifar10.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder / "cifar10", "cifar10")
    return path


def test_pictures_are_unpacked_as_a_whole(tmp_path: Path) -> None:
    place = tmp_path / "un packed"
    outcome = run_part(
        Part("pictures", unpacking(archive_of(tmp_path), place), 60), tmp_path, 60, {}
    )
    assert outcome.verdict == PASSED
    assert [own.name for own in sorted(place.iterdir())] == ["cats", "dogs"]


@pytest.mark.usefixtures("short_grace")
def test_pictures_whose_unpacking_takes_too_long_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, place = archive_of(tmp_path), tmp_path / "unpacked"
    slow = tmp_path / "bin" / "tar"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\n{shutil.which("tar")} "$@"\nexec sleep 600\n')
    slow.chmod(0o755)
    variables = {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    outcome = run_part(Part("pictures", unpacking(path, place), 1), tmp_path, 1.5, variables)
    assert outcome.verdict == OUT_OF_TIME
    assert not place.exists()


def test_the_estimate_is_not_what_is_left_out_for_want_of_time(tmp_path: Path) -> None:
    arguments = Namespace(dry_run=False, pictures=Path("cifar10-jpeg.tar.gz"))
    parts = parts_of(arguments, tmp_path, tmp_path / "run", tmp_path)
    names = [own.name for own in parts]
    assert names.index("steps") < names.index("estimate") < names.index("profile")
    assert sum(own.seconds for own in parts) <= SECONDS
    # Where the steps and the training are ended by force, too.
    assert parts[-1].name == "profile"
    assert parts[-1].seconds >= 3 * gpu_box.GRACE


def test_the_summary_has_every_part_and_the_end_of_logs_of_those_that_failed(
    tmp_path: Path,
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "steps.txt").write_text("".join(f"line {i}\n" for i in range(100)))
    outcomes = [
        Outcome("machine", PASSED, 3.0),
        Outcome("steps", FAILED, 20.4, "exit code 1"),
        Outcome("training", OUT_OF_TIME, 180.0, "limit 180 s"),
        Outcome("late", LEFT_OUT, 0.0),
    ]
    write_summary(outcomes, logs, tmp_path, Path("runs/gpu"), time.time())
    text = (tmp_path / "summary.md").read_text()
    assert "| steps | failed | 20 | exit code 1 |" in text
    assert "| late | left out | 0 |" in text
    assert f"line {100 - TAIL}\n" in text
    assert f"line {99 - TAIL}\n" not in text
    assert "resume=runs/gpu" in text
    zip_logs(logs)
    assert not logs.exists()
    assert zipfile.ZipFile(tmp_path / "logs.zip").namelist() == ["steps.txt"]


def test_turns_are_a_warm_up_some_that_count_and_one_with_a_profile() -> None:
    turns, made = TurnsHere(64, most=2), 0
    with suppress(FinishedError):
        while made < 10:
            with turns.timed():
                made += 1
                torch.ones(100, 100) @ torch.ones(100, 100)
    assert made == 4
    assert len(turns.seconds) == 2
    assert turns.computing is not None
    assert 0 < turns.computing < 60


def test_long_turns_are_few() -> None:
    turns = TurnsHere(64, most=5, limit=1.0)
    for _ in range(2):
        turns.begin()
        turns.end(2.0)
    turns.begin()
    assert turns.seconds == [2.0]
    assert turns.profile is not None
    turns.end(9.0)


def test_a_contender_that_fails_is_a_row_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise SystemExit("pythae is not here")

    monkeypatch.setitem(ALL, "pythae", broken)
    rows = [
        measured("fashion_mnist", 32, "pythae"),
        Row("fashion_mnist", 32, "plain", 2e-3, 1e-3, 1_000_000),
    ]
    assert rows[0].lost == "SystemExit: pythae is not here"
    write(rows, tmp_path)
    assert read(tmp_path) == rows
    assert "pythae is not here" in (tmp_path / "steps.md").read_text()
    expected = ("2.000", "1.000", "2.00", "16,000", "1.00", "1")
    assert cells_of(rows[1], 2e-3)[1:] == expected


def test_a_measurement_that_is_asked_to_end_does_not_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(*_: object) -> None:
        raise SIGTERMException

    monkeypatch.setitem(ALL, "eager", stopped)
    with pytest.raises(SIGTERMException):
        measured("fashion_mnist", 32, "eager")


def test_every_planned_row_has_a_contender() -> None:
    rows = list(plan())
    assert {name for _, _, name in rows} == set(ALL)
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("batch_size", [32, 128])
def test_every_way_to_make_a_step_is_planned_beside_what_people_would_write(
    batch_size: int,
) -> None:
    ours = {"eager", "compiled", "graphed", "graphed, 1 at once", "compiled, graphed"}
    for work in ("fashion_mnist", "cifar10"):
        planned = {name for own, size, name in plan() if (own, size) == (work, batch_size)}
        assert planned >= ours | {"plain", "plain_compiled", "dataloader", "pythae"}


def test_compiled_steps_are_also_measured_without_graphs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[bool] = []

    def train(job: Job, turns: Turns) -> None:
        trainer, own = SimpleNamespace(), SimpleNamespace()
        found.append(system.may_be_graphs(trainer, own))  # type: ignore[arg-type]

    monkeypatch.setattr(system, "may_be_graphs", lambda *_: True)
    job = Job("compiled", "fashion_mnist", 32, 64, 64, "")
    for way in (train, launched_singly(train), train):
        way(job, TurnsHere(64))
    assert found == [True, False, True]


@pytest.mark.parametrize("name", TOGGLES)
def test_a_changed_setting_is_put_back(name: str) -> None:
    def settings() -> tuple[object, ...]:
        return torch.backends.cudnn.benchmark, Doubling.forward, terms.unit_interval

    before = settings()
    with TOGGLES[name]():
        pass
    assert settings() == before


def test_the_last_layer_in_its_sub_pixel_form_is_the_same() -> None:
    layer, features = Doubling(4, 1, bias=True), torch.rand(2, 4, 5, 5)
    with TOGGLES["sub-pixel last layer"]():
        forced = layer(features)
    assert not torch.equal(forced, layer(features))
    torch.testing.assert_close(forced, layer(features))


# Of 40 epochs of ceil(47,500 / 32) minibatches, 20 with 5 + 1 updates each.
LAGGING, JOINT = Run("cifar10", 20 * 1485, 20 * 1485, 6), Run("celeba", 20 * 5087, 0, 1)


def test_the_steps_of_a_run_are_counted(compose: Callable[..., DictConfig]) -> None:
    assert run_of(compose("model=lagging", "data=cifar10"), "cifar10") == LAGGING
    assert run_of(compose("model=vae", "data=celeba"), "celeba") == JOINT


@pytest.mark.slow
def test_the_runs_of_table_1_are_counted() -> None:
    runs = runs_of_table1()
    assert len(runs) == 54
    assert LAGGING in runs
    assert JOINT in runs
    assert sum(run.all_updates for run in runs) == pytest.approx(7.34e6, rel=0.005)


def test_seconds_are_those_of_the_best_way_that_was_measured() -> None:
    rows = [
        Row("cifar10", 32, "eager", 4e-3, 1e-3),
        Row("cifar10", 32, "graphed", 1e-3, 1e-3),
        Row("cifar10", 32, "compiled, graphed", lost="no compiler"),
        Row("cifar10", 128, "graphed", 9.0, 9.0),
        Row("cifar10", 32, "aggressive, graphed", 12e-3, 1e-3),
    ]
    ways = ("compiled, graphed", "graphed", "eager")
    assert first_measured(rows, "cifar10", ways) == 1e-3
    run = Run("cifar100", joint=1000, aggressive=100, updates=4)
    seconds = seconds_of(run, rows, ways)
    assert seconds is not None
    assert math.isclose(seconds, 1000 * 1e-3 + 100 * 4 * 2e-3)
    assert seconds_of(Run("celeba", 1, 0, 1), rows, ways) is None


def test_packed_packages_are_python_alone(tmp_path: Path) -> None:
    assert pack(tmp_path) == []
    assert sorted(own.name for own in tmp_path.iterdir()) == sorted(PACKAGES)
    assert not list(tmp_path.rglob("*.so"))
    assert sum(own.stat().st_size for own in tmp_path.rglob("*") if own.is_file()) < 10e6

"""Processes that are killed, terminated or out of space lose no finished work.

Nothing is half-written.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from reslag_vae.runs.checkpoints import checkpoint_to_resume, read_checkpoint
from reslag_vae.runs.errors import RunError
from reslag_vae.training.callbacks import CollapseMonitor, ImageGrids, TrainingCurves
from reslag_vae.training.callbacks.pace import Drawing
from reslag_vae.training.resume import resumed
from tests.running import (
    BARE,
    BARE_8,
    ROOT,
    SMALL_8,
    assert_same_runs,
    checkpoint,
    command,
    fork,
    rows,
    start,
    wandb_records,
)

pytestmark = pytest.mark.usefixtures("small_digits")

Compose = Callable[..., DictConfig]
Train = Callable[[DictConfig, Path], float]

KILLS = 20


def epochs_done(folder: Path) -> int:
    """Rows of metrics.csv, which is whole at every moment."""
    return len(rows(folder)) if (folder / "metrics.csv").exists() else 0


def saved_at(folder: Path) -> int:
    """When the last checkpoint was written; 0 if there is none."""
    try:
        return (folder / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def assert_whole(folder: Path) -> None:
    """Whatever is there can be read."""
    for path in (folder / "checkpoints").glob("*.ckpt"):
        read_checkpoint(path)
    checkpoint_to_resume(folder)
    if (folder / "metrics.json").exists():
        json.loads((folder / "metrics.json").read_text())


@pytest.mark.slow
def test_a_run_killed_twenty_times_at_random_moments_ends_as_if_it_had_not_been(
    compose: Compose, train: Train, tmp_path: Path
) -> None:
    options = (
        *BARE_8,
        "data.batch_size=4",  # epochs that last
        "model=lagging",
        "schedule.epochs=20",
        "schedule.batches=fresh",
        "trainer.max_epochs=60",
    )
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    moments = random.Random(0)
    at: list[int] = []
    for kill in range(KILLS):
        begun = (killed / "config.yaml").exists()
        arguments = [f"resume={killed}"] if begun else [*options, f"hydra.run.dir={killed}"]
        newest = saved_at(killed)
        child = fork(tmp_path, *arguments)
        try:
            if moments.random() < 2 / 3:
                # So long after an epoch of its own that any moment of the next one may be met.
                deadline = time.monotonic() + 120
                while saved_at(killed) <= newest:
                    assert child.is_alive(), "it ended by itself"
                    assert time.monotonic() < deadline, "it takes too long"
                    time.sleep(0.002)
                time.sleep(moments.uniform(0, 0.15))
            else:
                time.sleep(moments.uniform(0, 1.5))
            assert child.is_alive(), f"it ended by itself before kill {kill + 1}"
        finally:
            child.kill()
            child.join()
        assert child.exitcode == -signal.SIGKILL
        assert_whole(killed)
        assert not (killed / "metrics.json").exists()
        last = checkpoint_to_resume(killed)
        at.append(0 if last is None else read_checkpoint(last)["epoch"] + 1)
    assert at == sorted(at), "a finished epoch was lost"
    assert at[-1] >= KILLS // 4
    train(resumed(killed, []), killed)
    train(compose(*options), whole)
    assert_same_runs(whole, killed)
    assert not list(killed.rglob("*.unfinished"))


def begun(process: subprocess.Popen[bytes] | BaseProcess, folder: Path, epochs: int = 1) -> None:
    """Wait until a run has finished so many epochs."""
    deadline = time.monotonic() + 120
    while epochs_done(folder) < epochs:
        code = process.exitcode if isinstance(process, BaseProcess) else process.poll()
        assert code is None, "the run ended by itself"
        assert time.monotonic() < deadline, "the run takes too long"
        time.sleep(0.01)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start train.py in the background, with its output in `log`; it ends with the test."""
    started: list[subprocess.Popen[bytes]] = []
    # Other tests of this process may have begun a service of W&B, which its children would share.
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}

    def launched(*arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(
                command(*arguments),
                cwd=tmp_path,
                env=environment | variables,
                stdout=log,
                stderr=log,
                # A shell starts what runs in its background with SIGINT ignored, and all below
                # inherit that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                start_new_session=True,
            )
        started.append(process)
        return process

    yield launched
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wandb_exit_codes(folder: Path) -> list[int]:
    """With which the W&B run in a run's folder was closed: of one that was not, none."""
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    return [
        record.exit.exit_code
        for record in wandb_records(path)
        if record.WhichOneof("record_type") == "exit"
    ]


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_ends_a_run_cleanly_and_it_goes_on(
    number: signal.Signals,
    compose: Compose,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Other tests of this process may have begun a service of W&B, which its children would share.
    monkeypatch.delenv("WANDB_SERVICE", raising=False)
    run = tmp_path / "run"
    (tmp_path / "here").mkdir()
    options = ("model=vae", "trainer.max_epochs=4000", "logger=wandb", f"hydra.run.dir={run}")
    process = fork(tmp_path / "here", *BARE_8, *options)
    assert process.pid is not None
    try:
        begun(process, run, 2)
        if number == signal.SIGINT:  # a terminal sends it to all processes, W&B's own too
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
        process.join(60)
    finally:
        process.kill()
        process.join()
    assert process.exitcode == 128 + number
    said = "".join((tmp_path / f"here.{name}").read_text() for name in ("said", "complained"))
    assert f"Stopped. To go on: python train.py resume={run}" in said
    assert "Traceback" not in said
    assert wandb_exit_codes(run) == [1]
    assert_whole(run)
    assert not (run / "failed.json").exists()
    shorter = f"trainer.max_epochs={epochs_done(run) + 1}"
    train(resumed(run, [shorter, "logger=none"]), run)
    train(compose(*BARE_8, "model=vae", shorter), tmp_path / "whole")
    assert_same_runs(tmp_path / "whole", run)


def group_of(process: subprocess.Popen[bytes]) -> list[str]:
    """What still runs of the processes that a command has started."""
    return [said for *_, group, said in processes() if group == process.pid]


@pytest.mark.slow
def test_a_signal_ends_all_processes_of_a_run(
    launch: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """It holds also if W&B takes longer to close than Lightning gives the first process.

    Lightning waits that long after the other processes have ended.
    """
    options = ("model=lagging", "trainer.max_epochs=400", "trainer.devices=2", "logger=wandb")
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text(
        "import time, lightning.pytorch.loggers\n"
        "from reslag_vae.runs.wandb_tracker import WandbTracker\n"
        "close = WandbTracker.close\n"
        "WandbTracker.close = "
        "lambda self, exit_code=0: (time.sleep(7), close(self, exit_code))[1]\n"
    )
    path = os.pathsep.join([str(slow), str(Path(__file__).parents[2])])
    process = launch(*BARE, *options, f"hydra.run.dir={tmp_path / 'run'}", PYTHONPATH=path)
    begun(process, tmp_path / "run")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    assert wandb_exit_codes(tmp_path / "run") == [1]
    assert "Stopped. To go on" in (tmp_path / "log").read_text()
    assert not [said for said in group_of(process) if "train.py" in said]
    assert_whole(tmp_path / "run")


STOPPED = """
import runpy, signal, sys
import reslag_vae.training.first_stage

name = "reslag_vae.training.first_stage"
del sys.modules[name], reslag_vae.training.first_stage

class Stop:
    def find_spec(wanted, *_):
        if wanted == name:
            signal.raise_signal({number})

sys.meta_path.insert(0, Stop)
sys.argv[0] = {script!r}
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print("loaded:", name in sys.modules)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_waits_until_what_trains_is_loaded_and_leaves_nothing_behind(
    number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    script = tmp_path / "stopped.py"
    script.write_text(STOPPED.format(number=int(number), script=str(ROOT / "train.py")))
    where = f"hydra.run.dir={tmp_path / 'run'}"
    done = start(tmp_path / "here", *BARE_8, "model=vae", where, script=str(script))
    assert done.returncode == 128 + number
    assert "Traceback" not in done.stderr
    assert "loaded: True" in done.stdout
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_training_leaves_nothing_behind(
    number: signal.Signals, launch: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    process = launch(*BARE, "model=vae", f"hydra.run.dir={tmp_path / 'run'}")
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / ".lock").exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(0.5)  # in the midst of loading the libraries
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_signal_to_a_multirun_ends_its_jobs(
    launch: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    options = (
        "model=vae",
        "trainer.max_epochs=2000",
        "seed=0,1",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )
    process = launch("-m", *BARE, *options, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "sweep").glob("*/metrics.csv"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    deadline = time.monotonic() + 20
    while group_of(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not group_of(process)
    assert "Traceback" not in (tmp_path / "log").read_text()


def processes() -> Iterator[tuple[int, int, int, str]]:
    """Number, parent's number, group and command of every process that has not ended."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may end meanwhile
            state, parent, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            said = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if state != "Z":
                yield int(folder.name), int(parent), int(group), said


@pytest.mark.slow
def test_training_goes_on_where_wandb_dies(
    launch: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    options = (
        "model=vae",
        "trainer.max_epochs=40",
        "logger=wandb",
        f"hydra.run.dir={tmp_path / 'run'}",
    )
    process = launch(*BARE, *options)
    begun(process, tmp_path / "run")
    services = [
        number
        for number, parent, _, said in processes()
        if parent == process.pid and "wandb" in said
    ]
    assert services
    for service in services:
        os.kill(service, signal.SIGKILL)
    assert process.wait(120) == 0, (tmp_path / "log").read_text()
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epochs_run"] == 40
    said = (tmp_path / "log").read_text()
    assert "W&B has failed" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_run_is_kept_offline_where_wandb_cannot_be_reached(
    launch: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    options = (
        "model=vae",
        "trainer.max_epochs=1",
        "logger=wandb",
        f"hydra.run.dir={tmp_path / 'run'}",
    )
    nowhere = {
        "WANDB_BASE_URL": "http://localhost:1",
        "WANDB_API_KEY": "0" * 40,
        "WANDB_INIT_TIMEOUT": "2",
    }
    process = launch(*BARE, *options, **nowhere, WANDB_MODE="online")
    assert process.wait(120) == 0, (tmp_path / "log").read_text()
    assert "W&B cannot be reached, and the run is kept offline" in (tmp_path / "log").read_text()
    assert wandb_exit_codes(tmp_path / "run") == [0]


# Disks


# In namespaces of its own, where every user may mount.
DISK = """
import ctypes, os, runpy, shutil, subprocess, sys

CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
own = {{
    "setgroups": "deny",
    "uid_map": f"0 {{os.getuid()}} 1",
    "gid_map": f"0 {{os.getgid()}} 1",
}}
if ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNS):
    sys.exit("no namespaces")
for name, text in own.items():
    with open(f"/proc/self/{{name}}", "w") as file:
        file.write(text)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size={size}", "none", "disk"], check=True)
sys.argv[0] = {script!r}
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    shutil.copytree("disk", "kept")
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run train.py with a `disk` in the test's folder so small that it is soon full.

    The disk's files are in `kept` afterwards.
    """
    (tmp_path / "disk").mkdir()

    def run(size: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "disk.py"
        script.write_text(DISK.format(size=size, script=str(ROOT / "train.py")))
        return start(tmp_path, *arguments, script=str(script))

    probe = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "mount",
        "-t",
        "tmpfs",
        "none",
        str(tmp_path / "disk"),
    ]
    if (
        shutil.which("unshare") is None
        or subprocess.run(probe, capture_output=True, check=False).returncode
    ):
        pytest.skip("needs a system that lets users mount a tmpfs of their own")
    return run


def test_a_full_disk_stops_a_run_with_a_word_and_leaves_its_checkpoints(
    small_disk: Callable[..., subprocess.CompletedProcess[str]],
    compose: Compose,
    train: Train,
    tmp_path: Path,
) -> None:
    """There is room for three checkpoints of 44 kB, not for a fourth."""
    options = ("model=vae", "trainer.max_epochs=400", "hydra.run.dir=disk/run")
    done = small_disk("170k", *BARE_8, *options)
    assert done.returncode == 1
    assert re.search(r"disk/run/\S+ cannot be written: No space left on device", done.stderr), (
        done.stderr
    )
    assert "Traceback" not in done.stderr
    kept = tmp_path / "kept" / "run"
    assert not [
        path.name
        for path in kept.rglob("*")
        if path.name.startswith(".") or "unfinished" in path.name
    ]
    assert_whole(kept)
    assert checkpoint_to_resume(kept) is not None
    longer = f"trainer.max_epochs={epochs_done(kept) + 1}"
    train(resumed(kept, [longer]), kept)
    assert (kept / "metrics.json").exists()


@pytest.mark.slow
def test_a_full_disk_stops_all_processes_of_a_run_with_one_word(
    small_disk: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the digits of the data set, which the second process has."""
    monkeypatch.delenv("DIGITS")
    options = ("model=vae", "trainer.max_epochs=400", "trainer.devices=2", "hydra.run.dir=disk/run")
    done = small_disk("450k", *BARE, *options)
    assert done.returncode == 1
    assert done.stderr.count("cannot be written: No space left on device") == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert_whole(tmp_path / "kept" / "run")


@pytest.mark.slow
def test_a_full_disk_leaves_no_half_of_a_cache(
    small_disk: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    from PIL import Image

    (tmp_path / "pictures").mkdir()
    for number in range(40):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(tmp_path / "pictures" / f"{number}.png")
    folder = f"data.folder={tmp_path / 'pictures'}"
    done = small_disk("200k", *BARE, "data=image_folder", "model=vae", folder, "data.root=disk")
    assert done.returncode == 1
    assert "The decoded images (0.00 GB) cannot be written to" in done.stderr, done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]


# Checkpoints


@pytest.mark.parametrize("callback", [ImageGrids, CollapseMonitor, TrainingCurves])
def test_a_picture_that_fails_costs_no_epoch(
    callback: type[Drawing],
    compose: Compose,
    train: Train,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no picture")

    monkeypatch.setattr(callback, "draw", fail)
    config = compose(*SMALL_8, "model=vae", "callbacks.progress=null", "trainer.max_epochs=2")
    with pytest.raises(RuntimeError, match="no picture"):
        train(config, tmp_path / "run")
    for name in ("best", "last"):
        path = tmp_path / "run" / "checkpoints" / f"{name}.ckpt"
        assert read_checkpoint(path)["epoch"] == 0


def test_a_damaged_last_checkpoint_is_refused_and_the_one_before_offered(
    compose: Compose, train: Train, tmp_path: Path
) -> None:
    config = compose(*BARE_8, "model=vae", "trainer.max_epochs=3")
    train(config, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "damaged")
    last = tmp_path / "damaged" / "checkpoints" / "last.ckpt"
    content = bytearray(last.read_bytes())
    weight = checkpoint(tmp_path / "whole", "last")["state_dict"][
        "model.network.inference.0.0.weight"
    ]
    content[content.index(weight.numpy().tobytes())] ^= 1  # between tensors nobody would mind
    last.write_bytes(content)
    with pytest.raises(
        RunError,
        match=r"last\.ckpt is damaged.*previous\.ckpt, of epoch 2, is whole: remove last\.ckpt",
    ):
        train(resumed(tmp_path / "damaged", []), tmp_path / "damaged")
    last.unlink()
    train(resumed(tmp_path / "damaged", []), tmp_path / "damaged")
    assert_same_runs(tmp_path / "whole", tmp_path / "damaged")
    shutil.copy(tmp_path / "whole/config.yaml", last)
    shutil.copy(tmp_path / "whole/config.yaml", last.with_name("previous.ckpt"))
    with pytest.raises(
        RunError, match=r"last\.ckpt is damaged or no checkpoint: it is cut short, "
    ):
        train(resumed(tmp_path / "damaged", []), tmp_path / "damaged")

"""Locks between processes."""

import fcntl
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest

from reslag_vae._runtime import locks
from reslag_vae._runtime.locks import HeldError, alone, held, is_held

HOLD = "import sys, time, pathlib; from reslag_vae._runtime.locks import held\n"
HOLD += "with held(pathlib.Path(sys.argv[1]), 5): print('held', flush=True); time.sleep(60)"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_lock_is_held_within_the_context_alone(lock: Path) -> None:
    assert not is_held(lock)
    with held(lock, 0):
        assert is_held(lock)
        with pytest.raises(HeldError), held(lock, 0):
            pass
        assert is_held(lock)
    assert not is_held(lock)
    assert not lock.exists()


def test_an_error_within_the_context_frees_it(lock: Path) -> None:
    with pytest.raises(ZeroDivisionError), held(lock, 0):
        raise ZeroDivisionError
    assert not lock.exists()


def test_another_process_has_it_until_it_is_killed(
    lock: Path, holder: subprocess.Popen[bytes]
) -> None:
    assert is_held(lock)
    with pytest.raises(HeldError), held(lock, 0.1):
        pass
    assert is_held(lock)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert not is_held(lock)
    with held(lock, 0):
        pass


def test_one_that_waits_gets_it_when_it_is_free(
    lock: Path, holder: subprocess.Popen[bytes]
) -> None:
    timer = threading.Timer(0.3, holder.kill)
    timer.start()
    with held(lock, math.inf):
        assert timer.finished.is_set()
    timer.join()


def test_one_that_only_asks_does_not_keep_others_from_it(lock: Path) -> None:
    lock.touch()
    asking = os.open(lock, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    timer = threading.Timer(0.3, os.close, [asking])
    timer.start()
    with held(lock, 2):
        assert timer.finished.is_set()
    timer.join()


def test_no_two_are_ever_in_it_although_its_file_comes_and_goes(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "PAUSE", 1e-4)
    inside: list[int] = []
    most: list[int] = []

    def enter(number: int) -> None:
        for _ in range(40):
            with held(lock, math.inf):
                inside.append(number)
                most.append(len(inside))
                sleep(1e-5)
                inside.remove(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enter, range(6)))
    assert len(most) == 240
    assert set(most) == {1}


@pytest.mark.parametrize("number", locks.NO_LOCKS)
def test_without_locks_there_is_a_word_and_work_goes_on(
    number: int, lock: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def flock(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    for _ in range(2):
        with held(lock, 0), alone(lock, "decoding"):
            assert not is_held(lock)
    assert not is_held(lock)
    (message,) = caplog.messages
    assert message.startswith(f"{lock.parent} is on a file system without locks")


def test_any_other_error_is_one(lock: Path) -> None:
    lock.mkdir()
    with pytest.raises(IsADirectoryError), held(lock, 0):
        pass

"""Who works in a run's folder."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reslag_vae.runs.lock import OccupiedError, failure_kept, is_occupied, occupied

HOLD = "import sys, time, pathlib; from reslag_vae.runs.lock import occupied\n"
HOLD += "with occupied(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"


def test_a_folder_is_occupied_within_the_context_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    assert not is_occupied(folder)
    with occupied(folder):
        assert is_occupied(folder)
    assert not is_occupied(folder)


def test_an_error_is_kept_until_the_next_start(tmp_path: Path) -> None:
    for message, reason in (("too large\nby 3", "too large\nby 3"), ("", "ZeroDivisionError")):
        with pytest.raises(ZeroDivisionError), failure_kept(tmp_path):
            raise ZeroDivisionError(message)
        kept = json.loads((tmp_path / "failed.json").read_text())
        assert kept == {"reason": reason, "kind": "ZeroDivisionError"}
    with failure_kept(tmp_path):
        assert not (tmp_path / "failed.json").exists()


def test_an_interruption_by_the_user_is_no_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), failure_kept(tmp_path):
        raise KeyboardInterrupt
    assert not (tmp_path / "failed.json").exists()


def test_another_process_keeps_it_until_it_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_occupied(tmp_path)
        with (
            pytest.raises(OccupiedError, match="another process is at work"),
            occupied(tmp_path, patience=0.1),
        ):
            pass
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    assert not is_occupied(tmp_path)
    with occupied(tmp_path):
        pass

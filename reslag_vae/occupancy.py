"""Who works in a run's folder, and what became of it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reslag_vae.errors import first_line
from reslag_vae.runs import RunError, write_json

LOCK_FILE = ".lock"
FAILURE_FILE = "failed.json"

# Another process that only asks holds the lock for so many seconds at most.
PATIENCE = 2.0


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Within the context no other process trains in the folder, and an error is written to failed.json.

    The lock goes with the process, however that ends; a kill leaves neither a lock nor a failed.json.

    Args:
        folder: of the run; made if it is not there.

    Raises:
        RunError: another process trains in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not locked(descriptor, fcntl.LOCK_EX, PATIENCE):
            raise RunError(f"{folder}: another process is at work in this folder.")
        (folder / FAILURE_FILE).unlink(missing_ok=True)
        try:
            yield
        except Exception as error:
            write_json(folder / FAILURE_FILE, {"reason": first_line(error), "kind": type(error).__name__})
            raise
    finally:
        os.close(descriptor)


def is_occupied(folder: Path) -> bool:
    """Whether a process of this machine, or of one that shares its files and their locks, trains in the folder."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not locked(descriptor, fcntl.LOCK_SH, 0)
    finally:
        os.close(descriptor)


def locked(descriptor: int, kind: int, patience: float) -> bool:
    """Take a lock on an open file, waiting at most so many seconds; False if another has it."""
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True

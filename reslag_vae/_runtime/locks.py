"""Locks between processes, which go with the process that holds them, however it ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Seconds between two attempts.
PAUSE = 0.05


class HeldError(Exception):
    """Another process holds the lock."""


@contextmanager
def held(path: Path, patience: float) -> Iterator[None]:
    """Within the context no other process holds the lock. Its file is there as long as somebody does, or was killed.

    Args:
        path: of the lock's file, in a folder that is there.
        patience: seconds to wait at most for another process; infinity is as long as it takes.

    Raises:
        HeldError: another process has it.
        OSError: the file cannot be written.
    """
    deadline = time.monotonic() + patience
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            wait(descriptor, fcntl.LOCK_EX, deadline)
            # The one before may have removed the file between the two lines above: then this is a
            # lock on nothing.
            if is_file_of(descriptor, path):
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return
        finally:
            os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a process of this machine, or of one that shares its files and their locks, holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # not there, or none of ours
        return False
    try:
        wait(descriptor, fcntl.LOCK_SH, time.monotonic())
    except HeldError:
        return True
    finally:
        os.close(descriptor)
    return False


def wait(descriptor: int, kind: int, deadline: float) -> None:
    """Lock an open file, or raise a HeldError when the time is over."""
    while True:
        try:
            return fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise HeldError from None
            time.sleep(PAUSE)


def is_file_of(descriptor: int, path: Path) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False

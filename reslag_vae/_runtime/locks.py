"""Locks between processes; a lock ends with the process that holds it, however that ends."""

import errno
import fcntl
import functools
import logging
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

log = logging.getLogger(__name__)

# Seconds between two attempts.
PAUSE = 0.05

# What file systems without locks say, such as Lustre and NFS 3.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class HeldError(Exception):
    """A lock that another process holds."""


@contextmanager
def held(path: Path, patience: float) -> Iterator[None]:
    """Hold a lock within the context, so that other processes cannot.

    The lock's file exists as long as a process holds the lock, or if one was killed while it did.
    Where the file system has no locks it goes on without one, with a word.

    Args:
        path: path of the lock's file, in a folder that exists.
        patience: seconds to wait at most for another process; infinity waits as long as it takes.

    Raises:
        HeldError: another process holds the lock.
        OSError: the file cannot be written.
    """
    lock = taken(path, patience)
    try:
        yield
    finally:
        if lock is not None:
            # filelock leaves the file. Whoever waits for it sees that it is gone, and makes
            # another.
            path.unlink(missing_ok=True)
            lock.release()


def taken(path: Path, patience: float) -> "FileLock | None":
    """Return a lock once it is this process's; None where the file system has no locks.

    Args:
        path: path of the lock's file, in a folder that exists.
        patience: seconds to wait at most for another process; infinity waits as long as it takes.

    Raises:
        HeldError: another process holds the lock.
        OSError: the file cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(
        path,
        timeout=-1 if math.isinf(patience) else patience,
        poll_interval=PAUSE,
        fallback_to_soft=False,  # which a killed process would keep
    )
    try:
        lock.acquire()
    except Timeout:
        raise HeldError from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        tell_of_no_locks(path.parent)
        return None
    return lock


@functools.cache
def tell_of_no_locks(folder: Path) -> None:
    """Log once that nothing keeps two processes from working in a folder."""
    log.warning(
        "%s is on a file system without locks: see to it that no two processes work in it at once.",
        folder,
    )


@contextmanager
def alone(path: Path, doing: str) -> Iterator[None]:
    """Let one process at a time do within the context what many need; the others wait for it.

    Once in the context, check what another process has done meanwhile.

    Args:
        path: path of the lock's file, in a folder that exists.
        doing: what is done, in the words of the log: "decoding ...".

    Raises:
        OSError: the file cannot be written.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(held(path, 0))
        except HeldError:
            log.info("Another process is %s: waiting for it.", doing)
            stack.enter_context(held(path, math.inf))
        yield


def is_held(path: Path) -> bool:
    """Return whether a process holds a lock.

    Processes of other machines count if they share the files and their locks. filelock can only
    find out by taking the lock, which creates its file and needs the right to write it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # not there, or none of ours
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False

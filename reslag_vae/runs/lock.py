"""The lock on a run's folder, and the record of why a run failed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reslag_vae._runtime.files import WriteError
from reslag_vae._runtime.locks import HeldError, held, is_held
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import FAILURE_FILE, LOCK_FILE
from reslag_vae.runs.formats import write_json

# Another process that only asks holds the lock for so many seconds at most.
PATIENCE = 2.0


class OccupiedError(RunError):
    """A folder in which another process is at work."""


@contextmanager
def occupied(folder: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Keep other processes from working in a folder within the context.

    The lock ends with the process, however that ends.

    Args:
        folder: folder to lock; it is created if it is missing.
        patience: seconds to wait at most for another process.

    Raises:
        OccupiedError: another process works in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with held(folder / LOCK_FILE, patience):
            yield
    except HeldError:
        raise OccupiedError(f"{folder}: another process is at work in this folder.") from None


def is_occupied(folder: Path) -> bool:
    """Return whether a process is at work in a folder.

    Processes of other machines count if they share the files and their locks.
    """
    return is_held(folder / LOCK_FILE)


@contextmanager
def failure_kept(folder: Path) -> Iterator[None]:
    """Write an error within the context to failed.json, and remove that of an earlier start.

    A kill, or an interruption by the user, leaves no such file.
    """
    (folder / FAILURE_FILE).unlink(missing_ok=True)
    try:
        yield
    except Exception as error:
        with suppress(WriteError):  # the error itself may be that the disk is full
            reason = {"reason": str(error) or type(error).__name__, "kind": type(error).__name__}
            write_json(folder / FAILURE_FILE, reason)
        raise

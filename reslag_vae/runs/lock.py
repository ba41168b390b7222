"""Who works in a run's folder, and why a run failed."""

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
    """Another process is at work in a folder."""


@contextmanager
def occupied(folder: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Within the context no other process works in the folder.

    The lock goes with the process, however that ends.

    Args:
        folder: made if it is not there.
        patience: seconds to wait at most for another process.

    Raises:
        OccupiedError: another process works in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with held(folder / LOCK_FILE, patience):
            yield
    except HeldError:
        raise OccupiedError(f"{folder}: another process is at work in this folder.") from None


def is_occupied(folder: Path) -> bool:
    """Whether a process of a machine that shares the files and their locks works in the folder."""
    return is_held(folder / LOCK_FILE)


@contextmanager
def failure_kept(folder: Path) -> Iterator[None]:
    """Within the context an error is written to failed.json; that of an earlier start is removed.

    A kill, or an interruption by the user, leaves none.
    """
    (folder / FAILURE_FILE).unlink(missing_ok=True)
    try:
        yield
    except Exception as error:
        with suppress(WriteError):  # the error itself may be that the disk is full
            reason = {"reason": str(error) or type(error).__name__, "kind": type(error).__name__}
            write_json(folder / FAILURE_FILE, reason)
        raise

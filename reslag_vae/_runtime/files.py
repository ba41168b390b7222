"""Files that are whole or not there."""

import fcntl
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from reslag_vae._runtime.errors import UserError

# The end of the names of files that are being written.
UNFINISHED = ".unfinished"

# Letters that make the name of an unfinished file its own.
RANDOM = 8


class WriteError(UserError, OSError):
    """A file cannot be written; what was there before is as it was. The message names it."""


def write_atomically(path: Path, content: str | bytes | memoryview) -> None:
    """Write beside the target, then replace it in one step: a reader, or a kill, never meets a half-written file.

    The file's permissions are those that the umask leaves.

    Raises:
        WriteError: the disk is full, say.
    """
    # Names of files that are no UTF-8 have letters that cannot be written as they are.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(RANDOM // 2)}{UNFINISHED}")
        with temporary.open("xb") as file:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.replace(
                temporary, path
            )  # still locked: nobody takes it for a file that a kill has left
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise WriteError(f"{path} cannot be written: {error.strerror or error}.") from None
        raise


def remove_unfinished(folder: Path, names: Iterable[str]) -> None:
    """Remove what kills have left of files that were being written.

    Args:
        folder: of the files; those below it are left alone.
        names: of the files, or patterns of names such as `*.png`.
    """
    for name in names:
        for path in folder.glob(f".{name}.{'?' * RANDOM}{UNFINISHED}"):
            if path.is_file() and not is_being_written(path):
                path.unlink(missing_ok=True)


def is_being_written(path: Path) -> bool:
    """Whether a process is writing this unfinished file: it holds a lock on it."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # gone meanwhile, or on a file system without locks
        return False
    return False

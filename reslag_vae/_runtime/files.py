"""Files that are written completely or not at all."""

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from reslag_vae._runtime.errors import UserError

# Suffix of files that are being written.
UNFINISHED = ".unfinished"

# Number of random letters in the name of an unfinished file.
RANDOM = 8


class WriteError(UserError, OSError):
    """A file that cannot be written; the previous file is unchanged and the message names it."""


def write_atomically(path: Path, content: str | bytes | memoryview) -> None:
    """Write a file beside its target, then replace the target in one step.

    A reader never meets a half-written file, and a killed process never leaves one under the
    target's name. The file's permissions follow the umask.

    Raises:
        WriteError: the file cannot be written, for example because the disk is full.
    """
    # Names of files that are not UTF-8 have characters that cannot be encoded.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    with opened_atomically(path) as file:
        file.write(data)


@contextmanager
def opened_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside its target for writing, which replaces the target as the context ends.

    After an error within the context the target is as before, and folders that were made for it
    are gone.

    Raises:
        WriteError: the file cannot be written, for example because the disk is full.
    """
    temporary = None
    made = list(takewhile(lambda folder: not os.path.exists(folder), path.parents))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(RANDOM // 2)}{UNFINISHED}")
        with temporary.open("xb") as file:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            os.fsync(file.fileno())
            # Still locked, so that no other process takes it for what a killed one has left.
            os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        with suppress(OSError):  # what others have written there meanwhile stays
            for folder in made:
                folder.rmdir()
        if isinstance(error, OSError) and not isinstance(error, WriteError):
            raise WriteError(f"{path} cannot be written: {error.strerror or error}.") from None
        raise


def remove_unfinished(folder: Path, names: Iterable[str]) -> None:
    """Remove the unfinished files that killed processes have left.

    Args:
        folder: the folder of the files; its subfolders are left alone.
        names: names of the files, or patterns such as `*.png`.
    """
    for name in names:
        for path in folder.glob(f".{name}.{'?' * RANDOM}{UNFINISHED}"):
            if path.is_file() and not is_being_written(path):
                path.unlink(missing_ok=True)


def is_being_written(path: Path) -> bool:
    """Return whether a process is writing this unfinished file, and so holds a lock on it."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # gone meanwhile, or on a file system without locks
        return False
    return False

"""Files that are whole or not there."""

import os
import secrets
from pathlib import Path

from reslag_vae.errors import UserError

# The end of the names of files that are being written.
UNFINISHED = ".unfinished"


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
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise WriteError(f"{path} cannot be written: {error.strerror or error}.") from None
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove what kills have left of files that were being written, in the folder and below; nobody may write there."""
    for path in folder.rglob(f"*{UNFINISHED}"):
        path.unlink(missing_ok=True)

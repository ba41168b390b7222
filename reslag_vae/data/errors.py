"""What data modules raise where a data set is missing, damaged or too small."""

import os
from pathlib import Path

from reslag_vae._runtime.errors import UserError, printable

PLACE_HINT = "Where the data lie in another folder, say so with RESLAG_DATA=/that/folder or data.root=/that/folder."


class DataError(UserError, RuntimeError):
    """A data set cannot be used; the message says which file, and what to do by hand."""


def damaged(path: Path, reason: str) -> DataError:
    """The error for a file that is there, but not what it should be."""
    return DataError(
        f"{printable(str(path))} is damaged: {reason}. Delete it and run again, or replace it by a whole copy."
    )


def refuse_special(path: Path) -> None:
    """Refuse what stands in a file's place and may be read without end: a pipe, a socket, a device.

    Raises:
        DataError: there is something, and it is not a file.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise damaged(path, "it is no regular file")

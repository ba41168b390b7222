"""The errors of data sets that are missing, damaged or too small."""

import os
from pathlib import Path

from reslag_vae._runtime.errors import UserError, printable

PLACE_HINT = (
    "Where the data lie in another folder, say so with RESLAG_DATA=/that/folder or "
    "data.root=/that/folder."
)


class DataError(UserError, RuntimeError):
    """The error of a data set that cannot be used; the message says what to do by hand."""


class NotThereError(DataError):
    """The error of an official file that is missing where nothing may be downloaded."""


def damaged(path: Path, reason: str) -> DataError:
    """Return the error of a file that is there, but not what it should be.

    Args:
        path: path of the file.
        reason: words that say what is wrong.
    """
    return DataError(
        f"{printable(str(path))} is damaged: {reason}. Delete it and run again, or replace it by a "
        "whole copy."
    )


def refuse_special(path: Path) -> None:
    """Refuse a pipe, a socket or a device in the place of a file: reading it might never end.

    Raises:
        DataError: there is something, and it is not a file.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise damaged(path, "it is no regular file")

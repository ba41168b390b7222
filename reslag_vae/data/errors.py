"""What data modules raise where a data set is missing, damaged or too small."""

from pathlib import Path

from reslag_vae.errors import UserError

PLACE_HINT = "Where the data lie in another folder, say so with RESLAG_DATA=/that/folder or data.root=/that/folder."


class DataError(UserError, RuntimeError):
    """A data set cannot be used; the message says which file, and what to do by hand."""


def damaged(path: Path, reason: str) -> DataError:
    """The error for a file that is there, but not what it should be."""
    return DataError(f"{path} is damaged: {reason}. Delete it and run again, or replace it by a whole copy.")

"""Folders for unfinished files, which a kill leaves behind and the next start removes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def scratch(place: Path, purpose: str) -> Iterator[Path]:
    """Make a new folder for the time of the context, and remove what earlier ones have left.

    Only one process may do this for one purpose at a time: hold a lock.

    Args:
        place: folder in which the new one is made.
        purpose: word in the folder's name, by which earlier ones are known.

    Raises:
        OSError: the folder cannot be made.
    """
    for left in place.glob(f".{purpose}-*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(dir=place, prefix=f".{purpose}-") as folder:
        yield Path(folder)

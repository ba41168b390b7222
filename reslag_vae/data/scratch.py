"""Folders for what is not finished, which a kill leaves behind and the next start removes."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def scratch(place: Path, purpose: str) -> Iterator[Path]:
    """A new folder in `place` for the time of the context; what earlier ones of this purpose have left goes.

    Only one process may do this for one purpose at a time: hold a lock.

    Args:
        place: a folder.
        purpose: in the folder's name.

    Raises:
        OSError: it cannot be made.
    """
    for left in place.glob(f".{purpose}-*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(dir=place, prefix=f".{purpose}-") as folder:
        yield Path(folder)

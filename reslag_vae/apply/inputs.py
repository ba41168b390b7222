"""The picture files that the command line names, and their names in what is written."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reslag_vae._runtime.errors import ConfigError, printable
from reslag_vae.data.formats import SUFFIXES
from reslag_vae.data.listing import find_in_each
from reslag_vae.data.walk import identity_of


class Inputs(NamedTuple):
    """The picture files to read, each of them once.

    Attributes:
        base: folder that the names begin in.
        files: paths of the files.
        notes: sentences on what was left out.
        odd: whether each picture is odd by its label; None for one without, or for all.
    """

    base: Path
    files: list[Path]
    notes: list[str]
    odd: Sequence[bool | None] | None = None

    @property
    def names(self) -> list[str]:
        """The names of the files within `base`, with forward slashes."""
        return [name_of(path, self.base) for path in self.files]

    @property
    def places(self) -> list[str]:
        """The names, each after that of `base` itself, which may be that of a class."""
        folder = os.path.basename(os.path.abspath(self.base))
        return [f"{folder}/{name}" for name in self.names]


def find_inputs(given: Sequence[Path]) -> Inputs:
    """Return the pictures in folders and beside them.

    A folder is searched as in training; a file is taken whatever its suffix.

    Args:
        given: folders and files, in the user's order.

    Raises:
        ConfigError: a path is not there, or there is no picture.
        DataError: a folder cannot be read.
    """
    for path in given:
        if not os.path.exists(path):
            raise ConfigError(f"{printable(str(path))}: there is no such file or folder.")
    once = list(dict.fromkeys(given))
    listings = dict(zip(once, find_in_each(once), strict=True))
    found = [path for listing in listings.values() for path in listing.files]
    seen = {identity_of(path.stat()) for path in found}
    files: list[Path] = []
    for path, listing in listings.items():
        files += listing.files
        if path.is_file() and identity_of(path.stat()) not in seen:
            seen.add(identity_of(path.stat()))
            files.append(path)
    left_out = sum(listing.left_out.total() for listing in listings.values())
    notes = [note for listing in listings.values() for note in listing.notes]
    if left_out:
        counts = [
            f"{reason} {count:,}"
            for listing in listings.values()
            for reason, count in listing.left_out.items()
        ]
        notes.insert(0, f"{left_out:,} other files left out: {', '.join(counts)}")
    if not files:
        places = ", ".join(printable(str(path)) for path in given)
        rest = f"; {notes[0]}" if notes else ""
        raise ConfigError(f"There is no picture in {places} ({', '.join(sorted(SUFFIXES))}){rest}.")
    return Inputs(base_of(given), files, notes)


def base_of(given: Sequence[Path]) -> Path:
    """Return the folder that names begin in: that of the one folder, or the one above all paths."""
    folders = [path if path.is_dir() else path.parent for path in given]
    if len(folders) == 1:
        return folders[0]
    # Without `..`, which would be taken for a folder that lies within the one above it: names that
    # lead out of their folder are those of files that are not ours to write.
    return Path(os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in given]))


def name_of(path: Path, base: Path) -> str:
    """Return the name of a file within a folder; bytes that are not UTF-8 are escaped."""
    name = Path(os.path.relpath(os.path.abspath(path), os.path.abspath(base))).as_posix()
    return name.encode(errors="backslashreplace").decode()

"""Which files below a folder are pictures: each once, and what is left out is counted."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reslag_vae.data.errors import DataError
from reslag_vae.errors import printable

SUFFIXES = frozenset(
    (
        *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
        *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
    )
)

# What tells a folder that this program has written: all names of one of these are in it.
OWN_FOLDERS = (
    {"config.yaml", "checkpoints"},
    {"config.yaml", "metrics.csv"},
    {"config.yaml", "run.json"},
    {"config.json", "model.safetensors"},
    {"comparison.md"},
    {"study.json"},
)

Identity = tuple[int, int]


class Listing(NamedTuple):
    """The pictures below a folder.

    Attributes:
        files: sorted by path.
        left_out: how many other files and folders there are, by the reason.
    """

    files: list[Path]
    left_out: Counter[str]


def find_pictures(folder: Path) -> Listing:
    """All pictures below a folder; none if it is not there.

    Every file is listed once, under its own name rather than that of a link to it. Hidden files, files of other kinds,
    and folders that this program has written are left out.

    Raises:
        DataError: a folder cannot be read.
    """
    walk = Walk()
    if folder.is_dir():
        walk.folder(folder)
    # Links come last: what they lead to may be there under its own name.
    while walk.links:
        links, walk.links = sorted(walk.links), []
        for link in links:
            walk.link(link)
    return Listing(sorted(walk.files), walk.left_out)


class Walk:
    """A walk through folders that goes into each once.

    Attributes:
        files: the pictures so far.
        left_out: what was not taken, by the reason.
        links: that are still to be followed.
    """

    def __init__(self) -> None:
        self.files: list[Path] = []
        self.left_out: Counter[str] = Counter()
        self.links: list[Path] = []
        self.seen: set[Identity] = set()

    def folder(self, folder: Path) -> None:
        """Go through a folder and those below it."""
        folders = [folder]
        while folders:
            folders += self.inside(folders.pop())

    def inside(self, folder: Path) -> Iterator[Path]:
        """The folders in a folder, whose files are taken."""
        if not self.is_new(folder.stat()):
            self.left_out["folders that are read already"] += 1
            return
        entries = listed(folder)
        if is_own({entry.name for entry in entries}):
            self.left_out["folders that this program has written"] += 1
            return
        for entry in entries:
            if entry.name.startswith("."):
                self.left_out["hidden"] += 1
            elif entry.is_symlink():
                self.links.append(Path(entry.path))
            elif entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)
            else:
                self.file(Path(entry.path), entry.stat(follow_symlinks=False))

    def link(self, path: Path) -> None:
        """Take what a link leads to."""
        try:
            state = path.stat()
        except OSError:
            self.left_out["links that lead nowhere"] += 1
            return
        if stat.S_ISDIR(state.st_mode):
            self.folder(path)
        else:
            self.file(path, state)

    def file(self, path: Path, state: os.stat_result) -> None:
        """Take a file, if it is a picture."""
        suffix = path.suffix.lower()
        if not stat.S_ISREG(state.st_mode):
            self.left_out["pipes, sockets and devices"] += 1
        elif suffix not in SUFFIXES:
            self.left_out[printable(suffix) or "without a suffix"] += 1
        elif not self.is_new(state):
            self.left_out["further names of the same file"] += 1
        else:
            self.files.append(path)

    def is_new(self, state: os.stat_result) -> bool:
        """Whether a file or folder is met for the first time, under whichever name."""
        identity = (state.st_dev, state.st_ino)
        new = identity not in self.seen
        self.seen.add(identity)
        return new


def listed(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as reason:
        raise DataError(
            f"{printable(str(folder))} cannot be read: {reason.strerror}. Its pictures would be missing."
        ) from None


def is_own(names: set[str]) -> bool:
    """Whether a folder with these names in it was written by this program: its pictures are results."""
    return any(own <= names for own in OWN_FOLDERS)

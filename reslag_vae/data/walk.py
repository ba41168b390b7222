"""A walk through folders that finds every picture once, and counts what is left out."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from reslag_vae._runtime.errors import printable
from reslag_vae.data.errors import DataError
from reslag_vae.data.formats import SUFFIXES
from reslag_vae.data.own_folders import RUN_FOLDERS, is_own

READ_ALREADY = "folders that are read already"
OWN = "folders that this program has written"
SAME_FILE = "further names of the same file"
DEAD_LINK = "links that lead nowhere"
SPECIAL = "pipes, sockets and devices"

# The reasons by which pictures may be missing: what is left out is named, and not only counted.
NAMED = frozenset({READ_ALREADY, OWN, SAME_FILE, DEAD_LINK, SPECIAL})
SHOWN = 5

Identity = tuple[int, int]


class Walk:
    """A walk through folders that goes into each once.

    Args:
        start: folder that the paths in notes begin in.
        seen: identities of files and folders that are left out. Those that are found are added.

    Attributes:
        files: paths of the pictures found so far.
        left_out: number of files and folders left out, by the reason.
        links: links that are still to be followed.
        named: paths of what was left out, by those reasons that are in `NAMED`.
    """

    def __init__(self, start: Path, seen: set[Identity]) -> None:
        self.start = start
        self.seen = seen
        self.files: list[str] = []
        self.left_out: Counter[str] = Counter()
        self.links: list[Path] = []
        self.named: dict[str, list[Path]] = {}

    def leave_out(self, path: Path, reason: str) -> None:
        """Count a file or folder that is left out."""
        self.left_out[reason] += 1
        if reason in NAMED:
            self.named.setdefault(reason, []).append(path)

    def pictures(self) -> list[Path]:
        """Return the paths of the pictures found so far, sorted."""
        # By strings: to compare path objects is much slower.
        return [Path(path) for path in sorted(self.files, key=lambda path: path.split(os.sep))]

    def notes(self) -> list[str]:
        """Return sentences that name what was left out."""
        sentences = []
        for reason, paths in self.named.items():
            names = [printable(os.path.relpath(path, self.start)) for path in paths]
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            sentences.append(f"left out, {reason}: {', '.join(names[:SHOWN])}{more}")
        return sentences

    def visit(self, folder: Path, first: bool = False) -> None:
        """Go through a folder and those below it.

        Args:
            folder: folder to begin with.
            first: whether the folder is read even if this program has written it.
        """
        folders = [folder]
        while folders:
            folders += self.visit_one(folders.pop(), first)
            first = False

    def follow_links(self) -> None:
        """Go where the links lead that were found so far, and those that are found there."""
        while self.links:
            links, self.links = sorted(self.links), []
            for link in links:
                self.follow(link)

    def visit_one(self, folder: Path, first: bool) -> Iterator[Path]:
        """Take the files in a folder, and yield the folders in it."""
        entries = entries_of(folder)
        if not self.is_new(folder.stat()):
            self.leave_out(folder, READ_ALREADY)
            return
        own = is_own(folder, {entry.name for entry in entries})
        if own and not first:
            self.leave_out(folder, OWN)
            return
        for entry in entries:
            if entry.name.startswith("."):
                self.left_out["hidden"] += 1
            elif entry.is_symlink():
                self.links.append(Path(entry.path))
            elif entry.is_dir(follow_symlinks=False) and own and entry.name in RUN_FOLDERS:
                self.leave_out(Path(entry.path), OWN)
            elif entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)
            else:  # not entry.inode(), which some file systems make up
                self.take(entry.path, entry.stat(follow_symlinks=False))

    def follow(self, link: Path) -> None:
        """Go through the folder that a link leads to, or take the file."""
        try:
            state = link.stat()
        except OSError:
            self.leave_out(link, DEAD_LINK)
            return
        if stat.S_ISDIR(state.st_mode):
            self.visit(link)
        else:
            self.take(str(link), state)

    def take(self, path: str, state: os.stat_result) -> None:
        """Take a file if it is a picture, and leave it out otherwise."""
        suffix = os.path.splitext(path)[1].lower()
        if not stat.S_ISREG(state.st_mode):
            self.leave_out(Path(path), SPECIAL)
        elif suffix not in SUFFIXES:
            self.left_out[printable(suffix) or "without a suffix"] += 1
        elif not self.is_new(state):
            self.leave_out(Path(path), SAME_FILE)
        else:
            self.files.append(path)

    def is_new(self, state: os.stat_result) -> bool:
        """Return whether a file or folder is met for the first time, under whatever name."""
        identity = identity_of(state)
        new = identity not in self.seen
        self.seen.add(identity)
        return new


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """Return the entries of a folder, sorted by name.

    Raises:
        DataError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as reason:
        raise DataError(
            f"{printable(str(folder))} cannot be read: {reason.strerror}. Its pictures would be "
            "missing."
        ) from None


def identity_of(state: os.stat_result) -> Identity:
    """Return what a file or folder has in common under all of its names."""
    return state.st_dev, state.st_ino

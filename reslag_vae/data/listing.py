"""Which files below a folder are pictures: each once, and what is left out is counted."""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from reslag_vae._runtime.errors import printable
from reslag_vae.data.errors import DataError

SUFFIXES = frozenset(
    (
        *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
        *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
    )
)

# What tells a folder that this program has written: all names of one of these are in it.
OWN_FOLDERS = (
    *(
        {"config.yaml", name}
        for name in ("checkpoints", "figures", "metrics.csv", "run.json", "train.log")
    ),
    {"config.json", "model.safetensors"},
    {"comparison.md"},
    {"study.json"},
)

# Folders that a run may leave in a folder that holds other things, too.
RUN_FOLDERS = frozenset({"checkpoints", "figures", "wandb"})

# What is named beside being counted, because pictures may be missing by it.
NAMED = frozenset(
    {
        "folders that are read already",
        "folders that this program has written",
        "further names of the same file",
        "links that lead nowhere",
        "pipes, sockets and devices",
    }
)
SHOWN = 5

Identity = tuple[int, int]


class Listing(NamedTuple):
    """The pictures below a folder.

    Attributes:
        files: sorted by path.
        left_out: how many other files and folders there are, by the reason.
        notes: sentences that name those of them by which pictures may be missing.
    """

    files: list[Path]
    left_out: Counter[str]
    notes: list[str]


def find_pictures(folder: Path) -> Listing:
    """All pictures below a folder; none if it is not there.

    Every file is listed once, under its own name rather than that of a link to it. Hidden files,
    files of other kinds, and folders that this program has written are left out.

    Raises:
        DataError: a folder cannot be read.
    """
    return find_in_each([folder])[0]


def find_in_each(folders: Sequence[Path]) -> list[Listing]:
    """The pictures below each of some folders, as `find_pictures`; what is below several is listed once.

    Raises:
        DataError: a folder cannot be read.
    """
    there = [folder for folder in folders if os.path.isdir(folder)]
    # A link to where the folders are would lead out of them.
    outside = {
        identity_of(parent.stat())
        for folder in there
        for parent in Path(os.path.realpath(folder)).parents
    }
    seen = outside - {identity_of(folder.stat()) for folder in there}
    walks = {folder: Walk(folder, seen) for folder in folders}
    for folder in there:
        walks[folder].folder(folder, first=True)
    # Links come last: what they lead to may be there under its own name.
    for walk in walks.values():
        walk.follow()
    return [Listing(walk.pictures(), walk.left_out, walk.notes()) for walk in walks.values()]


class Walk:
    """A walk through folders that goes into each once.

    Args:
        start: the folder that names are told from.
        seen: folders and files that are not to be taken; what is taken is added.

    Attributes:
        files: the paths of the pictures so far.
        left_out: what was not taken, by the reason.
        links: that are still to be followed.
    """

    def __init__(self, start: Path, seen: set[Identity]) -> None:
        self.start = start
        self.seen = seen
        self.files: list[str] = []
        self.left_out: Counter[str] = Counter()
        self.links: list[Path] = []
        self.named: dict[str, list[Path]] = {}

    def leave(self, path: Path, reason: str) -> None:
        """Count a file or folder that is not taken."""
        self.left_out[reason] += 1
        if reason in NAMED:
            self.named.setdefault(reason, []).append(path)

    def pictures(self) -> list[Path]:
        """Those so far, in the order of their paths, which is much slower to find of objects than of their names."""
        return [Path(path) for path in sorted(self.files, key=lambda path: path.split(os.sep))]

    def notes(self) -> list[str]:
        """Sentences that name what is not taken."""
        names = {
            why: [printable(os.path.relpath(path, self.start)) for path in own]
            for why, own in self.named.items()
        }
        return [
            f"left out, {why}: {', '.join(own[:SHOWN])}"
            + (f" and {len(own) - SHOWN} more" if len(own) > SHOWN else "")
            for why, own in names.items()
        ]

    def folder(self, folder: Path, first: bool = False) -> None:
        """Go through a folder and those below it; the first one is read, whatever is in it."""
        folders = [folder]
        while folders:
            folders += self.inside(folders.pop(), first)
            first = False

    def follow(self) -> None:
        """Go where the links lead."""
        while self.links:
            links, self.links = sorted(self.links), []
            for link in links:
                self.link(link)

    def inside(self, folder: Path, first: bool) -> Iterator[Path]:
        """The folders in a folder, whose files are taken."""
        entries = listed(folder)
        if not self.is_new(folder.stat()):
            self.leave(folder, "folders that are read already")
            return
        own = is_own(folder, {entry.name for entry in entries})
        if own and not first:
            self.leave(folder, "folders that this program has written")
            return
        for entry in entries:
            if entry.name.startswith("."):
                self.left_out["hidden"] += 1
            elif entry.is_symlink():
                self.links.append(Path(entry.path))
            elif entry.is_dir(follow_symlinks=False) and own and entry.name in RUN_FOLDERS:
                self.leave(Path(entry.path), "folders that this program has written")
            elif entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)
            else:  # not entry.inode(), which some file systems make up
                self.file(entry.path, entry.stat(follow_symlinks=False))

    def link(self, path: Path) -> None:
        """Take what a link leads to."""
        try:
            state = path.stat()
        except OSError:
            self.leave(path, "links that lead nowhere")
            return
        if stat.S_ISDIR(state.st_mode):
            self.folder(path)
        else:
            self.file(str(path), state)

    def file(self, path: str, state: os.stat_result) -> None:
        """Take a file, if it is a picture."""
        suffix = os.path.splitext(path)[1].lower()
        if not stat.S_ISREG(state.st_mode):
            self.leave(Path(path), "pipes, sockets and devices")
        elif suffix not in SUFFIXES:
            self.left_out[printable(suffix) or "without a suffix"] += 1
        elif not self.is_new(state):
            self.leave(Path(path), "further names of the same file")
        else:
            self.files.append(path)

    def is_new(self, state: os.stat_result) -> bool:
        """Whether a file or folder is met for the first time, under whichever name."""
        identity = identity_of(state)
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


def is_own(folder: Path, names: set[str]) -> bool:
    """Whether a folder with these names in it was written by this program or by W&B: its pictures are results."""
    of_dashboard = folder.name == "wandb" and any(
        name.startswith(("run-", "offline-run-")) for name in names
    )
    return of_dashboard or any(own <= names for own in OWN_FOLDERS)


def identity_of(state: os.stat_result) -> Identity:
    """What a file or folder has under all of its names."""
    return state.st_dev, state.st_ino

"""The list of the pictures below a folder, each of them once."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reslag_vae.data.walk import Walk, identity_of


class Listing(NamedTuple):
    """The pictures below a folder.

    Attributes:
        files: paths of the pictures, sorted.
        left_out: number of other files and folders, by the reason why they are left out.
        notes: sentences that name those of them by which pictures may be missing.
    """

    files: list[Path]
    left_out: Counter[str]
    notes: list[str]


def find_pictures(folder: Path) -> Listing:
    """Return all pictures below a folder; none if the folder is not there.

    Every file is listed once, under its own name rather than that of a link to it. Hidden files,
    files of other kinds, and folders that this program has written are left out.

    Raises:
        DataError: a folder cannot be read.
    """
    return find_in_each([folder])[0]


def find_in_each(folders: Sequence[Path]) -> list[Listing]:
    """Return the pictures below each of several folders, in their order.

    A picture that is below several folders is listed once. `find_pictures` says what is left out.

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
        walks[folder].visit(folder, first=True)
    # Links come last: what they lead to may be there under its own name.
    for walk in walks.values():
        walk.follow_links()
    return [Listing(walk.pictures(), walk.left_out, walk.notes()) for walk in walks.values()]

"""The files of Omniglot's drawings, in four official archives or unpacked."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from reslag_vae.data.archives import ZipArchive
from reslag_vae.data.cache import state_of
from reslag_vae.data.listing import find_pictures

BACKGROUND, EVALUATION = "images_background", "images_evaluation"
SMALL = ("images_background_small1", "images_background_small2")

MOST_BYTES = 1 << 20  # of a drawing's file; the official ones have less than 1,000


class Drawing(NamedTuple):
    """The file of a drawing.

    Attributes:
        name: name of the drawing, as in `Greek/character01/0394_01.png`.
        path: path of the file; in an archive, below the path of the archive.
        archive: archive that it is in; None if it is a file of its own.
    """

    name: str
    path: Path
    archive: ZipArchive | None

    def content(self) -> bytes:
        """Return the content of the file.

        Raises:
            ValueError: the file is too large. An archive raises zipfile's errors, too.
        """
        if self.archive is not None:
            return self.archive.read(self.path)
        if self.path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
        return self.path.read_bytes()

    def state(self) -> str:
        """Return a text that changes with the content."""
        return state_of(self.path) if self.archive is None else self.archive.state(self.path)


def training_parts(folder: Path) -> tuple[str, ...]:
    """Return the names of the parts to train on that are in a folder."""
    if place_of(folder, BACKGROUND) is not None:
        return (BACKGROUND,)
    return tuple(part for part in SMALL if place_of(folder, part) is not None)


def place_of(folder: Path, part: str) -> Path | None:
    """Return the archive or else the folder of a part of Omniglot; None if neither is there."""
    places = (folder / f"{part}.zip", folder / part)
    return next((place for place in places if place.exists()), None)


def find_drawings(
    folder: Path, parts: Sequence[str], archives: ExitStack, left_out: Counter[str]
) -> dict[str, Drawing]:
    """Return the drawings of some parts by their names, sorted.

    A drawing that is in several parts is taken once.

    Args:
        folder: folder of the parts.
        parts: names of the parts that are read, if they are there.
        archives: stack of contexts that closes their archives.
        left_out: number of files that are left out, by the reason, to which theirs are added.

    Raises:
        DataError: an archive is damaged or not to be trusted, or a folder cannot be read.
    """
    found: dict[str, Drawing] = {}
    for part in parts:
        for drawing in _files(folder, part, archives, left_out):
            alphabet, _, rest = drawing.name.partition("/")
            if not drawing.name.endswith(".png") or rest.count("/") != 1 or not alphabet:
                left_out["not <alphabet>/<character>/<drawing>.png"] += 1
            elif drawing.name in found:
                left_out[f"in {part} once more"] += 1
            else:
                found[drawing.name] = drawing
    return dict(sorted(found.items()))


def _files(
    folder: Path, part: str, archives: ExitStack, left_out: Counter[str]
) -> Iterator[Drawing]:
    """Yield all files of a part, whatever their names are."""
    place = place_of(folder, part)
    if place is None:
        return
    if place.suffix == ".zip":
        archive = archives.enter_context(ZipArchive(place, MOST_BYTES))
        for path in archive.files:
            name = path.relative_to(place).as_posix()
            yield Drawing(name.removeprefix(f"{part}/"), path, archive)
        return
    listing = find_pictures(place)
    left_out.update(listing.left_out)
    for path in listing.files:
        yield Drawing(path.relative_to(place).as_posix(), path, None)

"""The splits of a folder of pictures, which are folders in it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reslag_vae._runtime.errors import printable
from reslag_vae.data.errors import DataError
from reslag_vae.data.formats import SUFFIXES
from reslag_vae.data.listing import find_pictures
from reslag_vae.data.walk import SHOWN

# The split of a folder by its name, in any case of letters.
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "eval": "val",
    "test": "test",
    "testing": "test",
}

ORDER = ["train", "val", "test"]


def split_folders(folder: Path) -> tuple[dict[str, Path], Counter[str]]:
    """Return the folder of each split, train first, and the numbers of pictures left out.

    Args:
        folder: folder of the data set, which is that of train if it has no folder for train.

    Returns:
        The folder of each split; the number of pictures beside these folders, by the reason.

    Raises:
        DataError: two folders are of one split.
    """
    found: dict[str, list[Path]] = {}
    others: Counter[str] = Counter()
    for path in sorted(folder.iterdir()):
        split = SPLITS.get(path.name.lower()) if path.is_dir() else None
        if split is not None:
            found.setdefault(split, []).append(path)
    if "train" not in found:
        return {"train": folder}, others
    for split, paths in found.items():
        if len({path.resolve() for path in paths}) > 1:
            names = " and ".join(printable(path.name) for path in paths)
            raise DataError(
                f"{printable(str(folder))}: {names} are both for {split}: keep one of them there."
            )
    chosen = {split: found[split][0] for split in sorted(found, key=ORDER.index)}
    taken = {path.name for path in chosen.values()}
    for path in sorted(folder.iterdir()):
        if path.name not in taken and not path.name.startswith("."):
            others[f"beside the splits, in {printable(path.name)}"] += count_pictures(path)
    return chosen, +others


def count_pictures(path: Path) -> int:
    """Return the number of pictures in a folder; 1 for a file that is a picture, 0 otherwise."""
    if path.is_dir():
        return len(find_pictures(path).files)
    return int(path.suffix.lower() in SUFFIXES)


def split_notes(folder: Path, parts: dict[str, Path]) -> list[str]:
    """Return sentences on what may surprise about the splits.

    Args:
        folder: folder of the data set.
        parts: folder of each split.
    """
    if parts["train"] != folder:
        return []
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink()]
    named = [path.name for path in folders if path.name.lower() in SPLITS]
    below = [
        f"{path.name}/{inner.name}"
        for path in folders
        for inner in sorted(path.iterdir())
        if inner.name.lower() in SPLITS and inner.is_dir()
    ]
    sentences = []
    if named:
        sentences.append(
            f"there is no folder train, and so {shown(named)} are read as any other folder"
        )
    if below:
        sentences.append(
            f"{shown(below)} are read together, not as splits: name the folder that they are in"
        )
    return sentences


def shown(names: Sequence[str]) -> str:
    """Return the first of some names, as text."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(map(printable, names[:SHOWN]))}{more}"

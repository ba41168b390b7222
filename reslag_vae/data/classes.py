"""The classes of pictures, which are the folders that they lie in."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reslag_vae._runtime.errors import printable
from reslag_vae.data.errors import DataError


class Classes(NamedTuple):
    """The pictures of each split, and their classes.

    Attributes:
        paths: paths of the pictures of each split, within the split's folder.
        names: names of the classes, sorted; empty without labels.
        labels: class number of each picture, split by split; -1 without labels.
        left_out: number of pictures that are left out, by the reason.
        notes: sentences on what may surprise.
    """

    paths: dict[str, list[Path]]
    names: list[str]
    labels: list[int]
    left_out: Counter[str]
    notes: list[str]


def classes_of(paths: Mapping[str, Sequence[Path]]) -> Classes:
    """Return the classes of the pictures of each split.

    If most pictures lie in folders, these are the classes, and the other pictures are left out;
    else there are no classes.

    Args:
        paths: paths of the pictures of each split, within the split's folder.

    Raises:
        DataError: the names of two classes differ in nothing but the case of letters.
    """
    every = [path for own in paths.values() for path in own]
    loose = [path for path in every if len(path.parts) == 1]
    flat = [split for split, own in paths.items() if all(len(path.parts) == 1 for path in own)]
    if 2 * len(loose) >= len(every) or flat:
        note = (
            f"there are no labels, because {len(loose):,} of {len(every):,} pictures lie in no "
            "folder of a class"
        )
        notes = [note] if len(loose) < len(every) else []
        taken = {split: list(own) for split, own in paths.items()}
        return Classes(taken, [], [-1] * len(every), Counter(), notes)
    taken = {split: [path for path in own if len(path.parts) > 1] for split, own in paths.items()}
    names = sorted({path.parts[0] for own in taken.values() for path in own})
    refuse_same_but_for_case(names)
    numbers = {name: number for number, name in enumerate(names)}
    labels = [numbers[path.parts[0]] for own in taken.values() for path in own]
    left_out = Counter({"beside the folders of classes": len(loose)})
    notes = notes_on_splits(taken)
    if loose:
        shown = ", ".join(printable(str(path)) for path in loose[:5])
        notes.append(f"left out, beside the folders of classes: {shown}")
    return Classes(taken, names, labels, +left_out, notes)


def refuse_same_but_for_case(names: Sequence[str]) -> None:
    """Refuse two classes that are meant to be one.

    Raises:
        DataError: two names differ in nothing but the case of letters, or in how their accents are
            composed.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise DataError(
                f"The classes {printable(other)} and {printable(name)} differ in the case of "
                "letters alone, or in how accents are written: give them one name."
            )


def notes_on_splits(paths: Mapping[str, Sequence[Path]]) -> list[str]:
    """Return sentences on classes that are not in every split.

    Args:
        paths: paths of the pictures of each split, within the split's folder.
    """
    own = {split: {path.parts[0] for path in part} for split, part in paths.items()}
    every = sorted(set().union(*own.values()))
    sentences = []
    for split, names in own.items():
        missing = [printable(name) for name in every if name not in names]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            sentences.append(f"{split} has no picture of {', '.join(missing[:5])}{more}")
    return sentences

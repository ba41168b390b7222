"""Which pictures are odd by their labels, for the area under the ROC curve of scores."""

import csv
from collections.abc import Sequence
from pathlib import Path

from reslag_vae._runtime.errors import ConfigError, printable


def odd_ones(
    odd: Sequence[str], labels: Path | None, names: Sequence[str]
) -> list[bool | None] | None:
    """Return whether each picture is odd by its label; None for one without, or for all.

    Args:
        odd: labels of odd pictures.
        labels: CSV file of labels; None takes the folders that pictures lie in.
        names: names of the pictures.

    Raises:
        ConfigError: no picture has the label, or every one; or the labels cannot be read.
    """
    if not odd and labels is None:
        return None
    found = odd_folders(odd, names) if labels is None else odd_labels(odd, labels, names)
    if True not in found or False not in found:
        which = "odd" if True not in found else "other"
        raise ConfigError(
            f"{'--labels' if labels else '--odd'}: there is no {which} picture among "
            f"{len(names)}: AUROC takes both kinds."
        )
    return found


def odd_folders(odd: Sequence[str], names: Sequence[str]) -> list[bool | None]:
    """Return whether each picture lies in one of some folders.

    Raises:
        ConfigError: there is no such folder.
    """
    folders = [set(name.split("/")[:-1]) for name in names]
    known = sorted(set().union(*folders))
    for label in odd:
        if label not in known:
            raise ConfigError(
                f"--odd {printable(label)}: no picture lies in a folder of this name."
                f"{there_are(known)}"
            )
    return [bool(own & set(odd)) for own in folders]


def odd_labels(odd: Sequence[str], path: Path, names: Sequence[str]) -> list[bool | None]:
    """Return whether each picture has one of some labels in a file; None for one that has none.

    Raises:
        ConfigError: the labels cannot be read, or are not 0 and 1 where none is named.
    """
    labels = read_labels(path)
    known, wanted = sorted(set(labels.values())), set(odd) or {"1"}
    if not odd and not set(known) <= {"0", "1"}:
        raise ConfigError(
            f"--labels {printable(str(path))}: 0, and 1 for odd ones, are wanted as labels, or "
            f"--odd LABEL beside it.{there_are(known)}"
        )
    return [labels[name] in wanted if name in labels else None for name in names]


def there_are(labels: Sequence[str]) -> str:
    """Return the end of a sentence that names some labels."""
    shown = ", ".join(printable(label) for label in labels[:10])
    return f" There are {shown}{' and others' if len(labels) > 10 else ''}." if labels else ""


def read_labels(path: Path) -> dict[str, str]:
    """Return the labels of a CSV file by the names of pictures.

    Raises:
        ConfigError: the file cannot be read, lacks the columns `file` and `label`, or gives a
            picture two labels.
    """
    labels: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if not {"file", "label"} <= set(table.fieldnames or ()):
                raise KeyError
            rows = [(row["file"], str(row["label"]).strip()) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError):
        raise ConfigError(
            f"--labels {printable(str(path))}: a CSV file with the columns file and label is "
            "wanted, the files as in --score's table."
        ) from None
    for name, label in rows:
        if labels.setdefault(name, label) != label:
            raise ConfigError(
                f"--labels {printable(str(path))}: {printable(name)} is both "
                f"{printable(labels[name])} and {printable(label)}; give each picture one label."
            )
    return labels


def notes_on_labels(path: Path, names: Sequence[str]) -> list[str]:
    """Return sentences on labels that are of none of the pictures.

    Args:
        path: CSV file of labels.
        names: names of the pictures.
    """
    known, labels = set(names), read_labels(path)
    strange = [name for name in labels if name not in known]
    if not strange:
        return []
    return [
        f"--labels {path}: {len(strange):,} of its {len(labels):,} files are none of the pictures, "
        f"such as {strange[0]}"
    ]

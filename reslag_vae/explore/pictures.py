"""The pictures that a model is explored with: a run's own, or a folder's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reslag_vae._runtime.errors import UserError, first_line, printable
from reslag_vae.apply.inputs import Inputs
from reslag_vae.apply.reading import read_batches
from reslag_vae.apply.scale import refuse_unknown_scale
from reslag_vae.apply.subject import Subject
from reslag_vae.explore.request import SPLITS
from reslag_vae.runs.folder import CONFIG_FILE
from reslag_vae.runs.identity import changes
from reslag_vae.runs.picture_format import read_examples

# Files that are decoded at a time
AT_A_TIME = 256


class Pictures(NamedTuple):
    """Pictures, with what is known of them.

    Attributes:
        images: (N, C, H, W) uint8.
        names: name of each.
        labels: (N,) int64 class numbers; -1 of a picture without.
        classes: names of the classes; empty if there are none.
        members: (N, A) truth values, which pictures have each attribute; None if there are none.
        attributes: names of the A attributes.
        trained: (N,) whether the model was trained on each; None if it was on all or on none.
        source: where they come from, in words.
        notes: sentences on what is missing.
        places: names of picture files within their folders, one of which may be that of a class a
            conditional model knows: see `Inputs.places`; empty of other pictures.
    """

    images: Tensor
    names: Sequence[str]
    labels: Tensor
    classes: Sequence[str] = ()
    members: Tensor | None = None
    attributes: Sequence[str] = ()
    trained: Tensor | None = None
    source: str = ""
    notes: Sequence[str] = ()
    places: Sequence[str] = ()

    @property
    def size(self) -> int:
        """N, the number of pictures."""
        return len(self.images)

    def label(self, position: int) -> str:
        """Return the name of a picture's class; empty if it has none."""
        number = int(self.labels[position])
        return self.classes[number] if 0 <= number < len(self.classes) else ""


def pictures_of_run(
    subject: Subject, split: str | None, most: int, root: Path | None, trust: Sequence[str]
) -> Pictures:
    """Return pictures of a run's own data, evenly spread over a split, or over all of them.

    Args:
        subject: the model of the run.
        split: `val`, `test` or `train`; None takes `val` and, where it has fewer than `most`, the
            others, too.
        most: number of pictures, at most.
        root: folder of all data sets, if it has moved.
        trust: modules of the user's own that the data may be made of.

    Raises:
        UserError: the data cannot be read.
    """
    try:
        from reslag_vae.runs.data import load_data

        data: Any = load_data(subject.folder, root=root, trust=trust)
    except ImportError as error:
        raise unreadable(f"without {error.name}") from None
    except UserError as error:
        # Advice that follows names the options of other commands.
        raise unreadable(first_line(error).partition(". ")[0]) from None
    sizes = {name: len(data.split(name)) for name in SPLITS}
    chosen = rows_of(sizes, split, most)
    parts = [data.split(name).part(rows) for name, rows in chosen.items()]
    changed = changes(subject.folder, data.inventory)
    notes = [f"The data are not those that the run was trained with: {changed}"] if changed else []
    if len(chosen) > 1:
        notes.append("Hollow points are pictures that the model was not trained on")
    members = members_of(data, chosen)
    return Pictures(
        images=torch.cat([part.images for part in parts]).contiguous(),
        names=names_of(data, chosen),
        labels=torch.cat([part.labels for part in parts]),
        classes=data.class_names,
        members=members,
        attributes=() if members is None else data.attribute_names,
        trained=trained_on(chosen),
        source=source_of(data.name, sizes, chosen),
        notes=notes,
    )


def rows_of(sizes: Mapping[str, int], split: str | None, most: int) -> dict[str, Tensor]:
    """Return the numbers of the pictures that are shown of each split, those of `val` first.

    Args:
        sizes: number of pictures of each split.
        split: the only split; None takes `val` and, where it has fewer than `most`, the others,
            too.
        most: number of pictures, at most.
    """
    if split is not None or sizes["val"] >= most:
        name = split or "val"
        return {name: evenly(sizes[name], most)}
    others = evenly(sizes["test"] + sizes["train"], most - sizes["val"])
    rows = {
        "val": torch.arange(sizes["val"]),
        "test": others[others < sizes["test"]],
        "train": others[others >= sizes["test"]] - sizes["test"],
    }
    return {name: own for name, own in rows.items() if len(own)}


def names_of(data: Any, chosen: Mapping[str, Tensor]) -> list[str]:
    """Return names of pictures that say of which split they are: of files, or numbers.

    Args:
        data: the data of a run.
        chosen: numbers of the pictures of each split.
    """
    names = []
    for split, rows in chosen.items():
        known = data.names(split)
        for row in rows.tolist():
            names.append(f"{known[row]} ({split})" if known else f"{split} {row + 1}")
    return names


def members_of(data: Any, chosen: Mapping[str, Tensor]) -> Tensor | None:
    """Return which pictures have each attribute, (N, A); None if the data have none.

    Args:
        data: the data of a run.
        chosen: numbers of the pictures of each split.
    """
    if not hasattr(data, "attributes"):
        return None
    parts = []
    for split, rows in chosen.items():
        found = data.attributes(split)
        if found is None:
            return None
        parts.append(found[rows])
    return torch.cat(parts)


def trained_on(chosen: Mapping[str, Tensor]) -> Tensor | None:
    """Return whether a model was trained on each picture, (N,); None of a single split."""
    if len(chosen) < 2:
        return None
    return torch.cat([torch.full((len(rows),), name == "train") for name, rows in chosen.items()])


def source_of(name: str, sizes: Mapping[str, int], chosen: Mapping[str, Tensor]) -> str:
    """Return in words which pictures are shown.

    Args:
        name: name of the data.
        sizes: number of pictures of each split.
        chosen: numbers of the pictures of each split that are shown.
    """
    total = sum(map(len, chosen.values()))
    if len(chosen) == 1:
        (split,) = chosen
        return f"{total:,} of the {sizes[split]:,} {split} pictures of {name}"
    parts = ", ".join(f"{len(rows):,} {split}" for split, rows in chosen.items())
    return f"{total:,} of the {sum(sizes.values()):,} pictures of {name}: {parts}"


def unreadable(reason: str) -> UserError:
    """Return the error that a run's own pictures cannot be read."""
    return UserError(
        f"The run's own pictures cannot be read ({reason}); name their folder by --root, or others "
        "by --pictures FOLDER."
    )


def pictures_of_files(subject: Subject, inputs: Inputs, most: int) -> Pictures:
    """Return picture files, evenly spread, fitted as in training; their folders are classes.

    Raises:
        UserError: none of them can be read, or nobody knows which value of theirs is white.
    """
    rows = evenly(len(inputs.files), most).tolist()
    files, everywhere = [inputs.files[row] for row in rows], inputs.names
    names = [everywhere[row] for row in rows]
    refuse_unknown_scale(subject, files, names)
    binary = subject.model.likelihood.binary
    parts: list[Tensor] = []
    read: list[int] = []
    failures: dict[int, str] = {}
    for positions, pixels, failed in read_batches(files, subject.decode, AT_A_TIME, binary):
        failures |= failed
        read += positions
        if pixels is not None:
            parts.append(pixels)
    if not parts:
        raise UserError(
            f"None of the {len(files)} pictures can be read, such as {printable(names[0])}: "
            f"{failures[0]}."
        )
    notes = [*inputs.notes, *subject.form.remarks]
    if failures:
        first, reason = next(iter(failures.items()))
        name = printable(names[first])
        notes.append(f"{len(failures):,} files cannot be read, such as {name}: {reason}")
    kept, places = [names[place] for place in read], inputs.places
    labels, classes = folders_of(kept)
    return Pictures(
        images=torch.cat(parts),
        names=kept,
        labels=labels,
        classes=classes,
        source=f"{len(read):,} pictures of {printable(str(inputs.base))}",
        notes=notes,
        places=[places[rows[place]] for place in read],
    )


def examples_of(subject: Subject) -> Pictures:
    """Return the example pictures of an export.

    Raises:
        UserError: it has none, or they are damaged.
    """
    model, folder = subject.model, subject.folder
    found = None
    if not (folder / CONFIG_FILE).is_file():
        found = read_examples(folder, model.image_shape, model.likelihood.binary)
    if found is None:
        raise UserError(
            f"{printable(str(folder))} has no pictures of its own: name some by --pictures FOLDER."
        )
    count = len(found)
    return Pictures(
        images=found,
        names=[f"example {number}" for number in range(1, count + 1)],
        labels=torch.full((count,), -1),
        source=f"{count} example pictures of the export",
        notes=[f"There are but the {count} example pictures of the export: --pictures gives more."],
    )


def evenly(count: int, most: int) -> Tensor:
    """Return numbers below `count`, at most `most` of them, evenly spread."""
    return torch.linspace(0, count - 1, min(most, count), dtype=torch.float64).round().long()


def folders_of(names: Sequence[str]) -> tuple[Tensor, list[str]]:
    """Return the (N,) class numbers of files and the names of the classes: their folders.

    Files in one folder alone have no classes.
    """
    folders = [name.rpartition("/")[0] for name in names]
    classes = sorted(set(folders))
    if len(classes) < 2:
        return torch.full((len(names),), -1), []
    numbers = {name: number for number, name in enumerate(classes)}
    labels = torch.tensor([numbers[folder] for folder in folders])
    return labels, [name or "(no folder)" for name in classes]

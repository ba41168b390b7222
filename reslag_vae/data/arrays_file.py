"""Files of arrays: images, labels, the validation split and names of classes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reslag_vae._runtime.errors import first_line, printable
from reslag_vae.data.errors import DataError, damaged


def read_file(path: str | Path | None) -> dict[str, Any]:
    """Read the arrays of a file by their names; no code in it is run.

    Raises:
        DataError: no file is named, or it is missing, damaged, or holds no images.
    """
    if path is None:
        raise DataError("images: give an array of them, or a file by folder=.")
    path = Path(path).expanduser()
    if not path.is_file():
        raise DataError(
            f"data.folder: there is no file {printable(str(path))}. Images that are given in "
            "Python are kept with the run up to 1 GB; of more, write a file yourself, .npz, and "
            "name it by folder= for an evaluation, or data.folder= to go on."
        )
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            content = {"images": found}
        else:
            with found:
                content = dict(found)
    except Exception as error:  # damaged bytes fail anywhere in the reader, with any exception
        if "Object arrays" in str(error):  # numpy has no class of its own for it
            raise DataError(
                f"{printable(str(path))}: holds an array of Python objects, which are not read: "
                "save images as numbers, and labels as whole numbers or as text, by "
                "np.asarray(labels, dtype=str)."
            ) from None
        raise damaged(path, first_line(error)) from None
    if "images" not in content:
        names = ", ".join(content) or "nothing"
        raise DataError(f"{printable(str(path))}: has no array `images`, but {names}.")
    check_split_and_names(content, path)
    return content


def check_split_and_names(content: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Refuse a validation split and names of classes, beside images, that are none.

    Raises:
        DataError: the message names the file and the array.
    """
    held_out = content.get("validation", np.array(0))
    count = len(content["images"]) if content["images"].ndim else 0
    if held_out.ndim or held_out.dtype.kind not in "iu" or not 0 <= held_out <= count:
        raise DataError(
            f"{printable(str(path))}: its array `validation` must say how many of the last images "
            f"are for validation, and is {described(held_out)}."
        )
    names = content.get("class_names", np.array([], dtype=np.str_))
    if names.ndim != 1 or (names.size and names.dtype.kind not in "iuU"):
        raise DataError(
            f"{printable(str(path))}: its array `class_names` must hold the name of each class, "
            f"and is {described(names)}."
        )


def described(array: NDArray[Any]) -> str:
    """Return an array in words: its number, or its kind and shape."""
    return f"{array}" if array.ndim == 0 else f"{array.dtype} of {array.shape}"

"""The check that the values of pictures of 16 bits are on the scale that their files say."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from reslag_vae._runtime.errors import UserError, printable
from reslag_vae.apply.subject import Subject
from reslag_vae.data.bit_depth import depth_of, likely_range
from reslag_vae.data.checks import HIGHEST_BIT
from reslag_vae.data.formats import formats


def refuse_unknown_scale(subject: Subject, files: Sequence[Path], names: Sequence[str]) -> None:
    """Refuse pictures of 16 bits none of which uses the highest: they hold fewer.

    Training refuses them, too. What they are made of would be nearly black. A model that was
    trained with `data.range` knows the scale.

    Args:
        subject: the model.
        files: paths of the pictures.
        names: their names, for the message.

    Raises:
        UserError: the model does not know which value is white.
    """
    if subject.form.scale is not None:
        return
    highest, where = 0, ""
    with warnings.catch_warnings():
        # Pillow's, of large pictures and odd metadata: what it reads is whole.
        warnings.simplefilter("ignore")
        for path, name in zip(files, names, strict=True):
            peak = peak_of(subject, path)
            if peak >= HIGHEST_BIT:
                return
            if peak > highest:
                highest, where = peak, name
    if highest:
        raise UserError(
            f"The pictures of 16 bits have no value above {highest} of 65535 ({printable(where)} "
            "has it), and the model does not know which one is white: save them anew with 8 bits, "
            f"or take a model that was trained with data.range={likely_range(0, highest)}."
        )


def peak_of(subject: Subject, path: Path) -> int:
    """Return the largest value of a picture of 16 bits; 0 of any other, which is not decoded."""
    from PIL import Image

    try:
        with Image.open(path, formats=formats()) as file:
            depth = depth_of(file)
        return subject.decode(path).peak if depth.deep or depth.colours else 0
    except Exception:  # what cannot be read is told when it is to be read
        return 0

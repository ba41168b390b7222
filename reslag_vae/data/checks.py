"""Checks that decoded pictures can be what was meant: a wrong scale leaves them black."""

from collections.abc import Sequence
from pathlib import Path

from reslag_vae._runtime.errors import printable
from reslag_vae.data.bit_depth import likely_range
from reslag_vae.data.decoded_file import Decoded
from reslag_vae.data.errors import DataError

# Pictures of 16 bits none of which uses the highest hold fewer: their scale is not known.
HIGHEST_BIT = 1 << 15

# Where no pixel of any picture is lighter than this, of 255, their values are on another scale.
BLACK = 15


def refuse_blank(found: Decoded, files: Sequence[Path]) -> None:
    """Refuse pictures in which there is next to nothing to see.

    Args:
        found: decoded pictures.
        files: paths of the pictures, in the same order.

    Raises:
        DataError: the values are on another scale than their files say, or each picture is of one
            colour.
    """
    peak = int(found.peaks.max())
    if 0 < peak < HIGHEST_BIT:
        first = files[int(found.peaks.argmax())]
        raise DataError(
            f"The pictures of 16 bits have no value above {peak} of 65535 "
            f"({printable(str(first))} has it): say which value is white by "
            f"data.range={likely_range(0, peak)}, or whichever it is; colours of 16 bits must be "
            "saved anew, with 8."
        )
    lightest = int(found.lightest.max())
    if lightest <= BLACK:
        raise DataError(
            f"The pictures are black: none has a value above {lightest} of 255. If their values "
            f"are on another scale, say so by data.range=[0,{max(lightest, 1)}]; colours of more "
            "than 8 bits must be saved anew."
        )
    if found.constant.all():
        raise DataError(
            f"All {len(files)} pictures are of one colour each: there is nothing to learn from "
            "them."
        )


def notes_on(found: Decoded) -> list[str]:
    """Return sentences on what may surprise about decoded pictures."""
    several = int((found.frames > 1).sum())
    constant = int(found.constant.sum())
    cut = int(found.cut.sum())
    dim = int(((found.peaks > 0) & (found.peaks < HIGHEST_BIT)).sum())
    black = int((found.lightest <= BLACK).sum())
    sentences = []
    if dim:
        sentences.append(
            f"{dim:,} of the pictures of 16 bits use less than half of their values: other scales?"
        )
    if black > constant:
        sentences.append(
            f"{black:,} pictures are nearly black, with no value above {BLACK} of 255: other "
            "scales?"
        )
    if several:
        sentences.append(
            f"{several:,} files have several pages or frames: the first of each is read"
        )
    if constant:
        sentences.append(f"{constant:,} pictures are of one colour")
    if cut:
        sentences.append(f"{cut:,} pictures have values outside of data.range, which are cut to it")
    return sentences

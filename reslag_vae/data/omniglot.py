"""The data module of Omniglot."""

from collections import Counter
from contextlib import ExitStack
from functools import cache, partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reslag_vae._runtime.errors import printable
from reslag_vae.data.binarizable import BinarizableDataModule
from reslag_vae.data.cache import decode_once
from reslag_vae.data.checks import notes_on, refuse_blank
from reslag_vae.data.decoded_file import Decoded
from reslag_vae.data.download import fetch
from reslag_vae.data.errors import DataError
from reslag_vae.data.images import Images, Source
from reslag_vae.data.official import torchvision_datasets
from reslag_vae.data.omniglot_files import (
    BACKGROUND,
    EVALUATION,
    Drawing,
    find_drawings,
    place_of,
    training_parts,
)
from reslag_vae.data.pictures import Picture

# Folders in `root`: the first one with something to train on is read.
FOLDERS = ("omniglot", "omniglot-small")

COUNT = 32_460  # official drawings, of background and evaluation together
SIDE, SIZE = 105, 28  # sides of a drawing and of an image, in pixels


class Omniglot(BinarizableDataModule):
    """Omniglot: 32,460 handwritten characters of 50 alphabets, 1x28x28, white ink on black.

    The classes are the alphabets. The images can be drawn in black and white.

    They are read from `<root>/omniglot/` or `<root>/omniglot-small/`, each part from its official
    zip archive or unpacked: `images_background` is train, and `images_evaluation`, of other
    alphabets, is test. Without `images_background`, `images_background_small1` and `..._small2` are
    train; without `images_evaluation`, test is a tenth of train. If nothing is there, the two large
    archives are downloaded. The literature's 24,345 + 8,070 images are another division.

    A drawing of 105x105 is resized by areas: a pixel is the share of it that is ink. The drawings
    are decoded once, into a cache in `root`.

    Source: Lake, Salakhutdinov and Tenenbaum 2015, https://github.com/brendenlake/omniglot.
    """

    name = "omniglot"
    image_shape = (1, SIZE, SIZE)
    _found: Decoded | None = None

    def read(self) -> Source:
        folder = self._folder()
        training = training_parts(folder)
        left_out: Counter[str] = Counter()
        with ExitStack() as archives:
            read = partial(find_drawings, folder, archives=archives, left_out=left_out)
            train, test = read(training), read([EVALUATION])
            drawings = [*train.values(), *test.values()]
            if not train:
                raise DataError(f"There is no drawing in {printable(str(folder / training[0]))}.")
            self._found = self._decoded(drawings, folder)
        names = [drawing.name for drawing in drawings]
        alphabets = [name.partition("/")[0] for name in names]
        class_names = sorted(set(alphabets))
        numbers = {name: number for number, name in enumerate(class_names)}
        labels = torch.tensor([numbers[alphabet] for alphabet in alphabets])
        rows = torch.split(torch.arange(len(names)), [len(train), len(test)])
        splits = [Images(self._found.images, labels, own) for own in rows]
        notes = [*_notes(training, len(train), len(test)), *notes_on(self._found)]
        official = splits[1] if test else None
        return Source(splits[0], None, official, class_names, names, +left_out, notes)

    def _decoded(self, drawings: list[Drawing], folder: Path) -> Decoded:
        """Return decoded drawings, in their order."""
        by_path = {drawing.path: drawing for drawing in drawings}
        return decode_once(
            list(by_path),
            lambda path: decode_drawing(by_path[path].content()),
            self.image_shape,
            Omniglot.name,
            folder,
            self.root,
            partial(refuse_blank, files=list(by_path)),
            lambda path: by_path[path].state(),
        )

    def digests_of(self, store: Tensor) -> NDArray[np.void]:
        if self.binarize is not None:  # other pixels than those in the cache
            return super().digests_of(store)
        assert self._found is not None, "the drawings are read"
        return self._found.digests

    def _folder(self) -> Path:
        """Return the folder with something to train on, after a download if there is none."""
        for name in FOLDERS:
            if training_parts(self.root / name):
                return self.root / name
        official = torchvision_datasets(self.name).Omniglot
        folder = self.root / FOLDERS[0]
        # What is trained on comes last: where it is there, an evaluation set that is not there is
        # left out.
        for part in (EVALUATION, BACKGROUND):
            if place_of(folder, part) is None:
                url = f"{official.download_url_prefix}/{part}.zip"
                fetch(folder / f"{part}.zip", [url], official.zips_md5[part])
        return folder


def decode_drawing(content: bytes) -> Picture:
    """Return the image of a drawing, white ink on black.

    Args:
        content: content of its PNG file.

    Raises:
        ValueError: the drawing does not have 105 x 105 pixels, black and white or grey, or the file
            is not a PNG file. If it is not whole, Pillow raises OSError, SyntaxError and others.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(BytesIO(content), formats=["PNG"])
    except UnidentifiedImageError:  # its message names a BytesIO
        raise ValueError("it is no PNG file") from None
    with opened as file:
        if file.size != (SIDE, SIDE) or file.mode not in ("1", "L"):
            width, height = file.size
            raise ValueError(
                f"it has {width} x {height} pixels of mode {file.mode}, not {SIDE} x {SIDE}, black "
                "and white"
            )
        ink = 255 - np.asarray(file.convert("L"), np.float64)
    shares = _shares()
    return Picture((shares @ ink @ shares.T).round().astype(np.uint8)[..., None])


@cache
def _shares() -> NDArray[np.float64]:
    """Return (28, 105) shares: how much of each row of an image is from each row of a drawing."""
    scale = SIDE / SIZE
    starts, lines = np.arange(SIZE)[:, None] * scale, np.arange(SIDE)
    overlaps = np.minimum(starts + scale, lines + 1) - np.maximum(starts, lines)
    shares: NDArray[np.float64] = overlaps.clip(0) / scale
    return shares


def _notes(training: tuple[str, ...], train: int, test: int) -> list[str]:
    """Return sentences on what may surprise about the parts that were read.

    Args:
        training: names of the parts to train on.
        train: number of drawings in train.
        test: number of drawings in test.
    """
    notes = []
    if train + test != COUNT:
        parts = ", ".join([*training, EVALUATION] if test else training)
        notes.append(f"{parts}: a part of Omniglot ({train + test:,} of {COUNT:,} drawings)")
    if test:
        notes.append("test is of other alphabets than train: accuracies of classes say nothing")
    else:
        notes.append(f"{EVALUATION} is not there, and so test is a random part")
    return notes

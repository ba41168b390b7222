"""Omniglot."""

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
from reslag_vae.data.base import Binarize, ImageDataModule
from reslag_vae.data.cache import Decoded, decoded
from reslag_vae.data.checks import notes_on, refuse_meaningless
from reslag_vae.data.download import fetch
from reslag_vae.data.errors import DataError
from reslag_vae.data.images import Images, Source
from reslag_vae.data.omniglot_files import (
    BACKGROUND,
    EVALUATION,
    Drawing,
    find_drawings,
    place_of,
    training_parts,
)
from reslag_vae.data.pictures import Picture

# In which one of these, in `root`, there is anything to train on.
FOLDERS = ("omniglot", "omniglot-small")

COUNT = 32_460  # official drawings, of background and evaluation together
SIDE, SIZE = 105, 28  # of a drawing and of an image, in pixels


class Omniglot(ImageDataModule):
    """32,460 handwritten characters of 50 alphabets, 1x28x28, white ink on black; the classes are the alphabets.

    In `<root>/omniglot/` or `<root>/omniglot-small/`, each part as its official zip archive or
    unpacked: `images_background` is train, and `images_evaluation`, of other alphabets, is test.
    Where there is no `images_background`, `images_background_small1` and `..._small2` are train;
    where there is no `images_evaluation`, test is a tenth of train. If nothing is there, the two
    large archives are downloaded. The literature's 24,345 + 8,070 images are another division.

    A drawing of 105x105 is resized by areas: a pixel is the share of it that is ink. The drawings
    are decoded once, into a cache.

    Source: Lake, Salakhutdinov and Tenenbaum 2015, https://github.com/brendenlake/omniglot.

    Args:
        root: the folder of all data sets, in which `.cache` is made.
        batch_size: images in a minibatch, in every split.
        val_fraction: the part of train that is taken for validation, in (0, 1).
        seed: of the validation split, of the order of the training batches and of their drawing.
        binarize: "dynamic" draws each pixel black or white by its intensity; None leaves it grey.

    Raises:
        ValueError: an argument out of its range.
    """

    name = "omniglot"
    image_shape = (1, SIZE, SIZE)

    def __init__(
        self,
        root: str | Path,
        batch_size: int,
        val_fraction: float,
        seed: int,
        binarize: Binarize = None,
    ) -> None:
        super().__init__(root, batch_size, val_fraction, seed)
        self.set_binarize(binarize)
        self._found: Decoded | None = None

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
        by_path = {drawing.path: drawing for drawing in drawings}
        return decoded(
            list(by_path),
            lambda path: decode_drawing(by_path[path].content()),
            self.image_shape,
            Omniglot.name,
            folder,
            self.root,
            partial(refuse_meaningless, files=list(by_path)),
            lambda path: by_path[path].state(),
        )

    def digests_of(self, store: Tensor) -> NDArray[np.void]:
        if self.binarize is not None:  # other pixels than those in the cache
            return super().digests_of(store)
        assert self._found is not None, "the drawings are read"
        return self._found.digests

    def _folder(self) -> Path:
        """Where there is something to train on, downloaded if need be."""
        for name in FOLDERS:
            if training_parts(self.root / name):
                return self.root / name
        from torchvision.datasets import Omniglot as Official

        folder = self.root / FOLDERS[0]
        # What is trained on comes last: where it is there, an evaluation set that is not there is
        # left out.
        for part in (EVALUATION, BACKGROUND):
            if place_of(folder, part) is None:
                url = f"{Official.download_url_prefix}/{part}.zip"
                fetch(folder / f"{part}.zip", [url], Official.zips_md5[part])
        return folder


def decode_drawing(content: bytes) -> Picture:
    """The image of a drawing, white ink on black.

    Args:
        content: of its PNG file.

    Raises:
        ValueError: it is not of 105 x 105 pixels, black and white or grey.
        OSError, SyntaxError and others of Pillow's: it is no whole PNG file.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(BytesIO(content), formats=["PNG"])
    except UnidentifiedImageError:  # whose message is of a BytesIO
        raise ValueError("it is no PNG file") from None
    with opened as file:
        if file.size != (SIDE, SIDE) or file.mode not in ("1", "L"):
            width, height = file.size
            raise ValueError(
                f"it has {width} x {height} pixels of mode {file.mode}, not {SIDE} x {SIDE}, black and white"
            )
        ink = 255 - np.asarray(file.convert("L"), np.float64)
    shares = _shares()
    return Picture((shares @ ink @ shares.T).round().astype(np.uint8)[..., None])


@cache
def _shares() -> NDArray[np.float64]:
    """(28, 105): how much of each row of an image is of each row of a drawing."""
    scale = SIDE / SIZE
    starts, lines = np.arange(SIZE)[:, None] * scale, np.arange(SIDE)
    overlaps = np.minimum(starts + scale, lines + 1) - np.maximum(starts, lines)
    shares: NDArray[np.float64] = overlaps.clip(0) / scale
    return shares


def _notes(training: tuple[str, ...], train: int, test: int) -> list[str]:
    notes = []
    if train + test != COUNT:
        notes.append(
            f"{', '.join(training)}{f', {EVALUATION}' if test else ''}: a part of Omniglot "
            f"({train + test:,} of {COUNT:,} drawings)"
        )
    if test:
        notes.append("test is of other alphabets than train: accuracies of classes say nothing")
    else:
        notes.append(f"{EVALUATION} is not there, and so test is a random part")
    return notes

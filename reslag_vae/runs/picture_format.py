"""How picture files become a model's images: kept beside its weights, in a run and in an export."""

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from reslag_vae._runtime.errors import UserError, first_line
from reslag_vae._runtime.files import write_atomically
from reslag_vae._runtime.images import ImageShape
from reslag_vae.data.bit_depth import Range
from reslag_vae.data.images import Images
from reslag_vae.data.pictures import Region, centre_share, centre_square, whole
from reslag_vae.likelihoods.pixels import WHITE_FROM
from reslag_vae.runs.config import read_config
from reslag_vae.runs.errors import RunError
from reslag_vae.runs.folder import (
    CONFIG_FILE,
    EXAMPLES_FILE,
    FORMAT_FILE,
    SAMPLERS_FILE,
    SCORES_FILE,
)
from reslag_vae.runs.formats import MOST_BYTES, json_text, read_bytes, read_json

SCHEMA = 1
EXAMPLES = 8

# Of the largest flow that can be fitted
MOST_SAMPLER_BYTES = 1 << 31

# Data sets that are read from picture files
OF_FILES = ("", "image_folder", "cifar10_folder", "celeba")
CELEBA_WIDTH = 178


class PictureFormat(NamedTuple):
    """How a picture of any size becomes an image of a model.

    Attributes:
        data: name of the data set that the model was trained on; empty if it is not known.
        keep: part of a picture that is kept and resized: `square`, the largest one in the middle,
            `share`, a smaller one, or `whole`, whose proportions change.
        share: (p, q): the side of the square is p/q of the picture's width; None but of `share`.
        scale: values of a picture that stand for black and white; None takes those of its file.
        classes: names of the training images' classes; empty if there are none, or not known.
        notes: sentences on what is not known of the training pictures.
    """

    data: str = ""
    keep: str = "square"
    share: tuple[int, int] | None = None
    scale: Range | None = None
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def remarks(self) -> list[str]:
        """The notes, and what is a guess."""
        if self.data in OF_FILES:
            return list(self.notes)
        guess = f"The model was trained on {self.data}, which is not read from picture files"
        return [*self.notes, f"{guess}: a centred square of each picture is resized."]

    @property
    def region(self) -> Region:
        """The function that chooses the part of a picture to keep."""
        if self.keep == "whole":
            return whole
        if self.share is None:
            return centre_square
        part, of = self.share
        return partial(centre_share, part=part, of=of)


def format_of_config(config: dict[str, Any]) -> PictureFormat:
    """Return the format of a run's pictures by its configuration, which knows no classes."""
    node = config.get("data")
    options = node if isinstance(node, dict) else {}
    kind = str(options.get("_target_", "")).rpartition(".")[2]
    crop = options.get("crop")
    if kind == "CelebA" and type(crop) is int and crop > 0:
        return PictureFormat("celeba", "share", (crop, CELEBA_WIDTH))
    if kind == "CelebA":
        return PictureFormat("celeba", "whole")
    if kind == "CIFAR10Folder":
        return PictureFormat("cifar10_folder")
    if kind == "ImageFolder":
        return PictureFormat("image_folder", scale=pair(options.get("range")))
    return PictureFormat(kind)


def write_format(folder: Path, name: str, classes: Sequence[str], images: Images) -> None:
    """Write pictures.json and examples.png of a run that has trained.

    Args:
        folder: folder of the run.
        name: name of the data set.
        classes: names of its classes; empty if there are none.
        images: images of which some are kept as examples.
    """
    known = (folder / CONFIG_FILE).is_file()  # not of a model that was trained by hand
    form = format_of_config(read_config(folder)) if known else PictureFormat()
    own = form._replace(data=name, classes=tuple(classes))
    write_atomically(folder / FORMAT_FILE, format_text(own))
    write_examples(folder / EXAMPLES_FILE, images)


def format_text(form: PictureFormat) -> str:
    """Return the content of pictures.json."""
    return json_text({"schema": SCHEMA} | form._asdict())


def write_examples(path: Path, images: Images) -> None:
    """Write at most 8 images, evenly spread over a split, side by side as PNG.

    Args:
        path: path of the picture.
        images: the split; of other images than grey or colour nothing is written.
    """
    from PIL import Image

    if images.store.shape[1] not in (1, 3):
        return
    chosen = torch.linspace(0, len(images) - 1, min(EXAMPLES, len(images))).round().long()
    pixels = images[chosen].images.numpy()
    strip = np.concatenate(list(pixels.transpose(0, 2, 3, 1)), axis=1)
    content = io.BytesIO()
    Image.fromarray(strip[..., 0] if strip.shape[2] == 1 else strip).save(content, format="png")
    write_atomically(path, content.getvalue())


def read_examples(folder: Path, shape: ImageShape, binary: bool) -> Tensor | None:
    """Return the (N, C, H, W) uint8 example pictures of a run or an export; None if it has none.

    Args:
        folder: folder of the run or the export, which may come from anywhere.
        shape: (C, H, W) of its model's images, in grey or colour.
        binary: whether each pixel of these is black or white.

    Raises:
        RunError: they are damaged, or of another size than the model's images.
    """
    from PIL import Image

    path = folder / EXAMPLES_FILE
    channels, height, width = shape
    try:
        with Image.open(io.BytesIO(read_bytes(path, MOST_BYTES)), formats=("PNG",)) as strip:
            count, rest = divmod(strip.width, width)
            if strip.height != height or rest or not 1 <= count <= EXAMPLES:
                raise ValueError(f"it is of {strip.width} x {strip.height} pixels")
            pixels = np.array(strip.convert("L" if channels == 1 else "RGB"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RunError(f"{path} is damaged: {first_line(error)}") from None
    lines = torch.from_numpy(pixels).reshape(height, count, width, channels)
    images = lines.permute(1, 3, 0, 2).contiguous()
    return 255 * (images >= WHITE_FROM).byte() if binary else images


def travelling(run: Path, examples: bool = True) -> dict[str, bytes]:
    """Return what a run knows of its pictures, and the samplers that it has, by name of the file.

    See `folder.TRAVELLING`. Of a run of an earlier version this is what its configuration says.

    Args:
        run: folder of the run.
        examples: whether the example pictures, too.

    Raises:
        RunError: a file is damaged, or of a later version.
    """
    found = {FORMAT_FILE: format_text(read_format(run)).encode()}
    for name in (EXAMPLES_FILE, SCORES_FILE) if examples else (SCORES_FILE,):
        if (run / name).is_file():
            found[name] = read_bytes(run / name, MOST_BYTES)
    if (run / SAMPLERS_FILE).is_file():
        found[SAMPLERS_FILE] = read_bytes(run / SAMPLERS_FILE, MOST_SAMPLER_BYTES)
    return found


def read_format(folder: Path) -> PictureFormat:
    """Return the format of a run's or an export's pictures.

    Where pictures.json is missing, as in those of earlier versions, it is what the run's
    configuration says, or a centred square.

    Raises:
        RunError: a file is damaged, or of a later version.
    """
    content = read_json(folder / FORMAT_FILE)
    if content:
        return parsed_format(content, folder / FORMAT_FILE)
    if (folder / CONFIG_FILE).is_file():
        form = format_of_config(read_config(folder))
        missing = "the names of the classes and example pictures are missing"
        return form._replace(notes=(f"{folder} is of an earlier version: {missing}.",))
    note = (
        f"{folder} does not say how its training pictures were fitted: a centred square of each "
        "picture is resized. The names of the classes and example pictures are missing."
    )
    return PictureFormat(notes=(note,))


def parsed_format(content: dict[str, Any], path: Path) -> PictureFormat:
    """Return the format that a file holds.

    Raises:
        RunError: the file is damaged, or of a later version.
    """
    schema = content.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise RunError(f"{path} is of a later version of this package: {schema}, not {SCHEMA}.")
    data, keep = content.get("data"), content.get("keep")
    classes, notes = content.get("classes"), content.get("notes")
    share, scale = pair(content.get("share")), pair(content.get("scale"))
    known = is_texts([data]) and is_texts(classes) and is_texts(notes)
    fitted = keep in ("square", "whole") if share is None else keep == "share" and min(share) >= 1
    if not known or not fitted:
        raise RunError(f"{path} is damaged: it does not say how pictures are fitted.")
    sides = None if share is None else (int(share[0]), int(share[1]))
    return PictureFormat(
        str(data), str(keep), sides, scale, tuple(classes or ()), tuple(notes or ())
    )


def is_texts(values: Any) -> bool:
    """Return whether values are a list of texts."""
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def pair(value: Any) -> Range | None:
    """Return two numbers that a file holds; None if it holds no such two."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    first, second = value
    numbers = type(first) in (int, float) and type(second) in (int, float)
    return (first, second) if numbers else None


def refuse_shape(shape: Sequence[int]) -> None:
    """Refuse a model that takes no square images in grey or colour.

    Raises:
        UserError: no picture file can be fitted to its images.
    """
    channels, height, width = shape
    if channels not in (1, 3) or height != width:
        raise UserError(
            f"The model takes images of {channels} x {height} x {width}: pictures can be fitted to "
            "square ones in grey or colour alone."
        )

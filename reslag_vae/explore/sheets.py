"""Images within a page: one alone, as PNG, or many in a sheet."""

import base64
import io
import math
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

# Columns of a sheet
COLUMNS = 32

# Of JPEG, with colours as fine as brightness: no difference is seen at four times the size. JPEG
# takes no more pixels than so many in a row or column.
QUALITY, LONGEST = 90, 65_500


class Sheet(NamedTuple):
    """Many images of one size in one picture, row by row.

    Attributes:
        uri: the picture, as `data:image/png;base64,...` or `data:image/jpeg;base64,...`.
        columns: number of images in a row.
        width: width of an image, in pixels.
        height: height of an image, in pixels.
    """

    uri: str
    columns: int
    width: int
    height: int


def sheet_of(images: Tensor, most: int | None = None) -> Sheet:
    """Return a sheet of (N, C, H, W) uint8 images, N at least 1.

    It is exact, except that images in colour are a JPEG where that is smaller than PNG: photographs
    and what is decoded of them take a quarter of the room.

    Args:
        images: the images.
        most: largest width and height of an image in pixels, to which it is reduced; None keeps
            every image as large as it is.
    """
    small = reduced(images, most)
    count, channels, height, width = small.shape
    columns = min(COLUMNS, count)
    lines = math.ceil(count / columns)
    filled = small.new_zeros(lines * columns, channels, height, width)
    filled[:count] = small
    rows = filled.view(lines, columns, channels, height, width).permute(2, 0, 3, 1, 4)
    whole = rows.reshape(channels, lines * height, columns * width)
    return Sheet(smallest_uri(whole), columns, width, height)


def reduced(images: Tensor, most: int | None) -> Tensor:
    """Return (N, C, H, W) uint8 images, reduced to a width and height of at most `most` pixels."""
    largest = max(images.shape[2:])
    if most is None or largest <= most:
        return images
    size = [max(1, round(side * most / largest)) for side in images.shape[2:]]
    resized = torch.nn.functional.interpolate(
        images.float(), size=size, mode="bilinear", antialias=True
    )
    return resized.round().clamp(0, 255).to(torch.uint8)


def smallest_uri(image: Tensor) -> str:
    """Return a (C, H, W) uint8 image as a `data:` URI: PNG, or in colour JPEG if it is smaller."""
    exact = data_uri(image)
    if image.shape[0] == 1 or max(image.shape[1:]) > LONGEST:
        return exact
    return min(exact, data_uri(image, "jpeg", quality=QUALITY, subsampling=0), key=len)


def data_uri(image: Tensor, kind: str = "png", **settings: int) -> str:
    """Return a (C, H, W) uint8 image in grey or colour as `data:image/<kind>;base64,...`.

    Args:
        image: the image.
        kind: `png` or `jpeg`.
        settings: what Pillow takes for this kind.
    """
    pixels = image.permute(1, 2, 0).numpy()
    own = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    content = io.BytesIO()
    own.save(content, format=kind, **settings)
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"

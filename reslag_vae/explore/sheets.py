"""Images as PNG within a page: one alone, or many in a sheet."""

import base64
import io
import math
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

# Columns of a sheet
COLUMNS = 32


class Sheet(NamedTuple):
    """Many images of one size in one picture, row by row.

    Attributes:
        uri: the picture, as `data:image/png;base64,...`.
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
    return Sheet(data_uri(whole), columns, width, height)


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


def data_uri(image: Tensor) -> str:
    """Return a (C, H, W) uint8 image in grey or colour as `data:image/png;base64,...`."""
    pixels = image.permute(1, 2, 0).numpy()
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(content, format="png")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"

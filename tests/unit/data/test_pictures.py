"""Decoding: geometry, orientation and every kind of pixel."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reslag_vae.data.listing import find_pictures
from reslag_vae.data.pictures import centre_square, decode, whole


def square(path: Path, **options: Any) -> np.ndarray:
    """The pixels of the centre of a picture."""
    return decode(path, **({"size": 8, "channels": 3, "region": centre_square} | options)).pixels


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def bars(width: int, height: int) -> np.ndarray:
    """Red, green and blue from left to right, a third each."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for colour in range(3):
        pixels[:, colour * width // 3 : (colour + 1) * width // 3, colour] = 255
    return pixels


def test_regions() -> None:
    assert whole(30, 10) == (0, 0, 30, 10)
    assert centre_square(30, 10) == (10, 0, 20, 10)
    assert centre_square(10, 30) == (0, 10, 10, 20)
    assert centre_square(30, 10, 4) == (13, 3, 17, 7)
    assert centre_square(30, 10, 20) == (10, 0, 20, 10)


def test_the_middle_is_kept_or_the_whole_is_squeezed(tmp_path: Path) -> None:
    path = saved(tmp_path / "bars.png", bars(48, 16))
    middle = square(path)
    assert middle.shape == (8, 8, 3)
    assert middle.dtype == np.uint8
    assert (middle == np.array([0, 255, 0])).all()
    squeezed = square(path, size=12, region=whole)
    assert squeezed[6, 1].tolist() == [255, 0, 0]
    assert squeezed[6, 10].tolist() == [0, 0, 255]


def test_a_large_jpeg_decoded_smaller_is_nearly_the_same(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    pixels = np.stack(
        [np.broadcast_to(ramp, (512, 512)), np.broadcast_to(ramp[:, None], (512, 512))], 2
    )
    pixels = np.dstack([pixels, 255 - pixels[..., 0]])
    jpeg = saved(tmp_path / "ramp.jpg", pixels, quality=95)
    png = saved(tmp_path / "ramp.png", pixels)
    assert np.abs(square(jpeg).astype(int) - square(png).astype(int)).max() <= 3


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn clockwise to see it upright
    upright = square(saved(tmp_path / "upright.png", bars(48, 48)))
    turned = square(saved(tmp_path / "turned.png", np.rot90(bars(48, 48)).copy(), exif=exif))
    assert np.array_equal(turned, upright)


@pytest.mark.parametrize(
    "suffix",
    ["jpg", "jpeg", "PNG", "webp", "bmp", "gif", "tif", "tiff", "ppm", "tga", "jfif", "jp2"],
)
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"grey.{suffix}", np.full((20, 20, 3), 100, np.uint8))
    assert find_pictures(tmp_path).files == [path]
    assert np.abs(square(path).astype(int) - 100).max() <= 2


def test_other_pixels(tmp_path: Path) -> None:
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[:4] = [10, 20, 30, 255]
    image = square(saved(tmp_path / "clear.png", clear))
    assert image[0, 0].tolist() == [10, 20, 30]
    assert image[7, 0].tolist() == [255, 255, 255]
    Image.fromarray(clear).quantize(4).save(tmp_path / "palette.png")
    assert square(tmp_path / "palette.png")[7, 0].tolist() == [255, 255, 255]
    deep = saved(tmp_path / "deep.png", np.full((8, 8), 0x80FF, np.uint16))
    assert (square(deep) == 0x80).all()
    assert square(deep, size=4, channels=1, region=whole).shape == (4, 4, 1)


def test_hidden_and_other_files_are_left_out_and_the_rest_is_sorted(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/1.jpg", "a/3.jpg", "a/.4.jpg", ".cache/5.jpg", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path).files]
    assert names == ["a/3.jpg", "b/1.jpg", "b/2.jpg"]

"""Image folders in every layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reslag_vae.data import DataError, ImageFolder


def place(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name) + sum(map(ord, str(path)))).integers(
            0, 256, (12, 20, 3), np.uint8
        )
        Image.fromarray(pixels).save(path)
    return folder


def opened(folder: Path, size: int = 8, channels: int = 3) -> ImageFolder:
    data = ImageFolder(
        folder.parent,
        batch_size=2,
        val_fraction=0.25,
        seed=0,
        folder=folder,
        size=size,
        channels=channels,
    )
    data.setup()
    return data


def counts(data: ImageFolder) -> list[int]:
    return [len(data.split(name)) for name in ("train", "val", "test")]


def test_flat_pictures_have_no_labels(tmp_path: Path) -> None:
    data = opened(place(tmp_path / "mine", *(f"{number}.png" for number in range(10))))
    assert counts(data) == [7, 2, 1]
    assert data.class_names == []
    assert data.split("train").labels.tolist() == [-1] * 7
    assert data.split("train").images.shape == (7, 3, 8, 8)


def test_subfolders_are_classes(tmp_path: Path) -> None:
    names = [f"{kind}/deep/{number}.jpg" for kind in ("dog", "cat") for number in range(10)]
    data = opened(place(tmp_path / "mine", *names), channels=1)
    assert data.class_names == ["cat", "dog"]
    assert data.image_shape == (1, 8, 8)
    store_labels = data.split("train").store_labels
    assert store_labels.tolist() == [0] * 10 + [1] * 10


@pytest.mark.parametrize("val", ["val", "valid", "validation"])
def test_own_splits(tmp_path: Path, val: str) -> None:
    names = [f"train/{number}.png" for number in range(4)] + [
        f"{val}/1.png",
        "test/1.png",
        "test/2.png",
    ]
    data = opened(place(tmp_path / "mine", *names, "other/1.png"))
    assert counts(data) == [4, 1, 2]


def test_own_splits_with_classes(tmp_path: Path) -> None:
    names = [f"train/{kind}/{number}.png" for kind in "ab" for number in range(4)]
    data = opened(place(tmp_path / "mine", *names, "test/b/1.png", "test/c/1.png"))
    assert counts(data) == [6, 2, 2]
    assert data.class_names == ["a", "b", "c"]
    assert data.split("test").labels.tolist() == [1, 2]


def test_the_folder_may_lie_in_root(tmp_path: Path) -> None:
    place(tmp_path / "mine", "1.png", "2.png", "3.png")
    data = ImageFolder(tmp_path, batch_size=2, val_fraction=0.25, seed=0, folder="mine")
    data.setup()
    assert counts(data) == [1, 1, 1]


def test_the_folder_here_goes_before_that_in_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path / "root" / "mine", *(f"{number}.png" for number in range(3)))
    place(tmp_path / "here" / "mine", *(f"{number}.png" for number in range(10)))
    monkeypatch.chdir(tmp_path / "here")
    data = ImageFolder(
        tmp_path / "root", batch_size=2, val_fraction=0.25, seed=0, folder="mine", size=8
    )
    data.setup()
    assert counts(data) == [7, 2, 1]


def test_the_second_time_nothing_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place(tmp_path / "mine", "1.png", "2.png", "3.png")
    opened(folder)
    monkeypatch.setattr(Image, "open", None)
    assert counts(opened(folder)) == [1, 1, 1]


def test_other_options_decode_anew(tmp_path: Path) -> None:
    folder = place(tmp_path / "mine", "1.png", "2.png", "3.png")
    for size, channels in ((8, 3), (10, 3), (8, 1)):
        image = opened(folder, size, channels).split("test").images
        assert image.shape == (1, channels, size, size)


def test_undecodable_pictures_are_named(tmp_path: Path) -> None:
    folder = place(tmp_path / "mine", "1.png", "2.png", "3.jpg")
    (folder / "cut.jpg").write_bytes((folder / "3.jpg").read_bytes()[:-200])
    (folder / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="2 of 5 pictures cannot be decoded") as error:
        opened(folder)
    assert "cut.jpg" in str(error.value)
    assert "text.png" in str(error.value)


def test_empty_small_and_missing_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no picture in .*empty"):
        opened(tmp_path / "empty")
    with pytest.raises(DataError, match="2 picture"):
        opened(place(tmp_path / "small", "1.png", "2.png"))
    with pytest.raises(DataError, match=r"no folder .*missing"):
        opened(tmp_path / "missing")
    (tmp_path / "half" / "test").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no picture in .*test"):
        opened(place(tmp_path / "half", "train/1.png", "train/2.png", "train/3.png"))


@pytest.mark.parametrize(("option", "value"), [("size", 0), ("channels", 2)])
def test_an_argument_out_of_range_is_named(tmp_path: Path, option: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"data.{option}"):
        ImageFolder(
            tmp_path, batch_size=4, val_fraction=0.1, seed=0, folder="mine", **{option: value}
        )

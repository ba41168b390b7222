"""What an image folder reads is said, and nothing of it is guessed or read twice."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reslag_vae.data import DataError, ImageFolder

RAMP = np.linspace(0, 1, 1024).reshape(32, 32)


def noise(*paths: Path) -> None:
    """A picture of noise at each path, no two alike."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = sum(str(path).encode()) + len(list(path.parent.iterdir())) * 1000
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)).save(
            path, "png"
        )


def place(folder: Path, **counts: int) -> None:
    """Pictures in subfolders, `__` standing for a slash."""
    for name, count in counts.items():
        noise(*(folder / name.replace("__", "/") / f"{number}.png" for number in range(count)))


def opened(folder: Path, **options: Any) -> ImageFolder:
    values = {
        "batch_size": 4,
        "val_fraction": 0.25,
        "seed": 0,
        "folder": folder,
        "size": 8,
        "channels": 1,
    }
    data = ImageFolder(folder.parent, **(values | options))
    data.setup()
    return data


def counts(data: ImageFolder) -> list[int]:
    return [len(data.split(name)) for name in ("train", "val", "test")]


DEEP: dict[str, Callable[[np.ndarray, Path], None]] = {
    "float in [0, 1]": lambda x, path: Image.fromarray(x.astype("float32")).save(
        path.with_suffix(".tif")
    ),
    "float to 65535": lambda x, path: Image.fromarray((x * 65535).astype("float32")).save(
        path.with_suffix(".tif")
    ),
    "float, signed": lambda x, path: Image.fromarray((x * 2 - 1).astype("float32")).save(
        path.with_suffix(".tif")
    ),
    "int32 to 255": lambda x, path: Image.fromarray((x * 255).astype("int32")).save(
        path.with_suffix(".tif")
    ),
    "int32 to 2^31": lambda x, path: Image.fromarray((x * 2.0**30).astype("int32")).save(
        path.with_suffix(".tif")
    ),
    "12 of 16 bits": lambda x, path: Image.fromarray((x * 4095).astype("uint16")).save(path),
    "8 of 16 bits": lambda x, path: Image.fromarray((x * 255).astype("uint16")).save(path),
    "12 of 16 bits, TIFF": lambda x, path: Image.fromarray((x * 4095).astype("uint16")).save(
        path.with_suffix(".tif")
    ),
    "0 and 1": lambda x, path: Image.fromarray((x > 0.5).astype("uint8")).save(path),
    "0 to 10": lambda x, path: Image.fromarray((x * 10).astype("uint8")).save(path),
}
RANGES = {
    "float in [0, 1]": [0, 1],
    "float to 65535": [0, 65535],
    "float, signed": [-1, 1],
    "int32 to 255": [0, 255],
    "int32 to 2^31": [0, 2.0**30],
    "12 of 16 bits": [0, 4095],
    "8 of 16 bits": [0, 255],
    "12 of 16 bits, TIFF": [0, 4095],
    "0 and 1": [0, 1],
    "0 to 10": [0, 10],
}


@pytest.mark.parametrize("kind", DEEP)
def test_values_whose_scale_is_not_known_are_refused_until_it_is_said(
    kind: str, tmp_path: Path
) -> None:
    (tmp_path / "p").mkdir()
    for number in range(6):
        DEEP[kind](np.roll(RAMP, number, 0), tmp_path / "p" / f"{number}.png")
    with pytest.raises(DataError, match=r"data\.range=\[") as error:
        opened(tmp_path / "p", size=32)
    assert "\n" not in str(error.value)
    data = opened(tmp_path / "p", size=32, range=RANGES[kind])
    expected = (np.stack([np.roll(RAMP, number, 0) for number in range(6)]) * 255).round()
    if kind == "0 and 1":
        expected = np.where(expected > 127, 255, 0)
    difference = np.abs(data.split("train").store[:, 0].numpy().astype(int) - expected)
    assert difference.max() <= (26 if kind == "0 to 10" else 1)
    assert data.inventory.pixel_range == (0, 255)


def test_sixteen_full_bits_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for number in range(4):
        Image.fromarray((np.roll(RAMP, number, 0) * 65535).astype("uint16")).save(
            tmp_path / "p" / f"{number}.png"
        )
    store = opened(tmp_path / "p", size=32).split("train").store
    assert np.abs(store[0, 0].numpy() - RAMP * 255).max() <= 1


def test_values_that_are_not_finite_are_named(tmp_path: Path) -> None:
    place(tmp_path / "p", a=4)
    Image.fromarray(np.full((8, 8), np.nan, "float32")).save(tmp_path / "p" / "a" / "nan.tif")
    with pytest.raises(DataError, match=r"nan\.tif: it holds values that are not finite"):
        opened(tmp_path / "p", range=[0, 1])


@pytest.mark.parametrize("colour", [0, 100, 255])
def test_pictures_without_anything_in_them_stop(colour: int, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for number in range(5):
        Image.new("L", (8, 8), colour).save(tmp_path / "p" / f"{number}.png")
    with pytest.raises(DataError, match=r"are black|are of one colour"):
        opened(tmp_path / "p")
    assert not list(tmp_path.rglob("*.npy")), "what was refused was kept"


@pytest.mark.parametrize(
    "values", ["ab", [0], [1, 0], [0, float("nan")], [0, float("inf")], [0, "1"], [True, 2], 5]
)
def test_a_range_is_two_numbers(values: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.range="):
        opened(tmp_path, range=values)


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("Train", "Val", "Test"),
        ("training", "validation", "testing"),
        ("TRAIN", "dev", "TEST"),
        ("train", "eval", "Test"),
    ],
)
def test_splits_in_any_spelling(train: str, val: str, test: str, tmp_path: Path) -> None:
    place(tmp_path / "p", **{f"{train}__a": 4, f"{train}__b": 3, f"{val}__a": 2, f"{test}__b": 1})
    data = opened(tmp_path / "p")
    assert counts(data) == [7, 2, 1]
    assert data.class_names == ["a", "b"]


def test_two_folders_for_one_split_are_named(tmp_path: Path) -> None:
    place(tmp_path / "p", train=4, val=2, valid=2)
    with pytest.raises(DataError, match="val and valid are both for val"):
        opened(tmp_path / "p")


def test_what_lies_beside_the_splits_is_counted_and_named(tmp_path: Path) -> None:
    place(tmp_path / "p", train=4, test=2, extra=3)
    noise(tmp_path / "p" / "stray.png")
    inventory = opened(tmp_path / "p").inventory
    assert inventory.left_out == {
        "beside the splits, in extra": 3,
        "beside the splits, in stray.png": 1,
    }
    assert "4 files left out: beside the splits, in extra 3" in inventory.line()


def test_splits_without_a_train_are_read_with_a_word(tmp_path: Path) -> None:
    place(tmp_path / "p", test=4, val=3)
    data = opened(tmp_path / "p")
    assert data.class_names == ["test", "val"]
    assert any("no folder train" in note and "test, val" in note for note in data.inventory.notes)


def test_classes_that_differ_in_case_are_refused(tmp_path: Path) -> None:
    place(tmp_path / "p", train__Cat=3, train__dog=3, test__cat=2)
    with pytest.raises(DataError, match="Cat and cat differ in the case of letters alone"):
        opened(tmp_path / "p")


def test_a_class_in_one_split_alone_is_told(tmp_path: Path) -> None:
    place(tmp_path / "p", train__a=4, train__b=4, test__a=2, test__c=1)
    notes = opened(tmp_path / "p").inventory.notes
    assert "train has no picture of c" in notes
    assert "test has no picture of b" in notes


def test_a_stray_picture_does_not_take_the_labels_away(tmp_path: Path) -> None:
    place(tmp_path / "p", a=5, b=5)
    noise(tmp_path / "p" / "stray.png")
    data = opened(tmp_path / "p")
    assert data.class_names == ["a", "b"]
    assert sum(counts(data)) == 10
    assert data.inventory.left_out == {"beside the folders of classes": 1}


def test_a_folder_of_pictures_with_a_subfolder_is_read_whole_with_a_word(tmp_path: Path) -> None:
    place(tmp_path / "p", more=3)
    noise(*(tmp_path / "p" / f"{number}.png" for number in range(6)))
    data = opened(tmp_path / "p")
    assert data.class_names == []
    assert sum(counts(data)) == 9
    assert any("no labels, because 6 of 9" in note for note in data.inventory.notes)


def test_files_with_several_pages_are_told(tmp_path: Path) -> None:
    place(tmp_path / "p", a=4)
    frames = [Image.new("L", (8, 8), value) for value in (0, 90, 180)]
    for suffix in ("tif", "gif"):
        frames[0].save(
            tmp_path / "p" / "a" / f"many.{suffix}", save_all=True, append_images=frames[1:]
        )
    assert (
        "2 files have several pages or frames: the first of each is read"
        in opened(tmp_path / "p").inventory.notes
    )
    assert any("several pages" in note for note in opened(tmp_path / "p").inventory.notes), (
        "out of the cache"
    )


def test_copies_across_splits_are_counted_and_named(tmp_path: Path) -> None:
    place(tmp_path / "p", train=6, test=2)
    for number in (1, 2):
        (tmp_path / "p" / "test" / f"copy{number}.png").write_bytes(
            (tmp_path / "p/train" / f"{number}.png").read_bytes()
        )
    (note,) = [note for note in opened(tmp_path / "p").inventory.notes if "copies" in note]
    assert "test/copy1.png = train/1.png" in note
    assert note.startswith(("2 images of test are copies of images of", "1 images of val"))


def test_a_huge_picture_is_named_and_not_decoded(tmp_path: Path) -> None:
    place(tmp_path / "p", a=4)
    whole = (tmp_path / "p" / "a" / "0.png").read_bytes()
    header = bytearray(whole)
    header[16:24] = (200_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    (tmp_path / "p" / "a" / "huge.png").write_bytes(bytes(header))
    with pytest.raises(DataError, match=r"huge\.png") as error:
        opened(tmp_path / "p")
    assert "\n" not in str(error.value)


def test_a_file_that_vanishes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place(tmp_path / "p", a=4)
    stat = Path.stat

    def vanished(path: Path, **options: Any) -> os.stat_result:
        if path.name == "2.png":
            raise FileNotFoundError(2, "No such file or directory")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", vanished)
    with pytest.raises(DataError, match=r"2\.png cannot be read: No such file"):
        opened(tmp_path / "p")


def test_short_memory_is_no_reason_to_remove_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*_: object) -> None:
        raise MemoryError

    place(tmp_path / "p", a=4)
    monkeypatch.setattr(Image.Image, "resize", short)
    with pytest.raises(DataError, match="too little memory to decode it") as error:
        opened(tmp_path / "p")
    assert "remove" not in str(error.value)


def test_names_are_shown_without_their_control_characters(tmp_path: Path) -> None:
    place(tmp_path / "p", a=4)
    (tmp_path / "p" / "a" / "c\x1b[2J\n.png").write_text("no picture")
    with pytest.raises(DataError, match=r"c\\x1b\[2J\\n\.png") as error:
        opened(tmp_path / "p")
    assert "\x1b" not in str(error.value)
    assert "\n" not in str(error.value)


def test_the_digest_follows_every_picture_and_no_place(tmp_path: Path) -> None:
    place(tmp_path / "p", train__a=4, train__b=4, test__a=2)
    first = opened(tmp_path / "p").inventory
    (tmp_path / "moved").mkdir()
    (tmp_path / "p").rename(tmp_path / "moved" / "q")
    assert opened(tmp_path / "moved" / "q").inventory.digests == first.digests
    (tmp_path / "moved/q/train/b/0.png").rename(tmp_path / "moved/q/train/b/zz.png")
    renamed = opened(tmp_path / "moved" / "q").inventory
    assert (
        renamed.digests["train"] != first.digests["train"]
        or renamed.digests["val"] != first.digests["val"]
    )
    assert renamed.digests["test"] == first.digests["test"]
    assert renamed.images == first.images


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("size", True),
        ("size", [32, 64]),
        ("size", 8.0),
        ("channels", True),
        ("batch_size", "8"),
        ("batch_size", 0.5),
        ("seed", True),
        ("seed", 0.5),
        ("seed", -1),
        ("seed", 2**32),
        ("val_fraction", True),
        ("val_fraction", float("nan")),
        ("val_fraction", "0.1"),
    ],
)
def test_arguments_of_another_kind_are_named(option: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"data\.{option}"):
        opened(tmp_path, **{option: value})

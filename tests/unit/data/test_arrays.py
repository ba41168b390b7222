"""Images in memory, and in a file of arrays."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reslag_vae.data import Arrays, DataError, arrays
from reslag_vae.data.labels import numbered

PIXELS = torch.randint(256, (40, 3, 8, 8), generator=torch.Generator().manual_seed(0)).byte()


def test_images_are_divided_and_labelled() -> None:
    names = [f"class {number % 3}" for number in range(40)]
    data = Arrays(PIXELS, names, validation=(PIXELS[:7], names[:7]))
    data.setup()
    assert data.image_shape == (3, 8, 8)
    assert data.class_names == ["class 0", "class 1", "class 2"]
    assert {name: len(data.split(name)) for name in ("train", "val", "test")} == {  # type: ignore[arg-type]
        "train": 36,
        "val": 7,
        "test": 4,
    }
    assert torch.equal(data.split("val").images, PIXELS[:7])
    assert torch.equal(data.split("val").labels, torch.arange(7) % 3)


def test_images_are_copied_and_floating_point_is_rounded() -> None:
    given = PIXELS.clone()
    data, floats = Arrays(given), Arrays(PIXELS.numpy() / 255)
    given.zero_()
    assert torch.equal(data.store, PIXELS)
    assert torch.equal(floats.store, PIXELS)
    assert floats.notes == ["floating point was rounded to 256 levels"]


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
def test_images_are_held_once_and_those_that_were_given_stay(
    kind: type[np.generic], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "AT_ONCE", 600)  # of three images at a time
    pixels = PIXELS.numpy() if kind is np.uint8 else (PIXELS.numpy() / 255).astype(kind)
    given = pixels.copy()
    data = Arrays(given)
    data.setup()
    assert np.array_equal(given, pixels)
    assert torch.equal(data.store, PIXELS)
    assert data.split("train").store is data.store
    data.store.zero_()
    assert np.array_equal(given, pixels)


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    data = Arrays(PIXELS, np.arange(40) % 2 * 5, validation=PIXELS[:9] // 2)
    data.keep(path)
    again = Arrays(folder=path)
    data.setup()
    again.setup()
    assert again.inventory.digests == data.inventory.digests
    assert again.class_names == ["0", "5"]
    again.keep(tmp_path / "twice.npz")
    assert not (tmp_path / "twice.npz").exists(), "a file is kept twice"


def test_labels_and_a_validation_split_may_be_given_beside_a_file(tmp_path: Path) -> None:
    labels = np.array(["cat", "dog"])[np.arange(40) % 2]
    Arrays(PIXELS, np.arange(40) % 2 * 5, validation=PIXELS[:9] // 2).keep(tmp_path / "split.npz")
    names = [*labels, *labels[:9]]
    data = Arrays(labels=names, folder=tmp_path / "split.npz")
    assert (data.classes, data.held_out) == (["cat", "dog"], 9)
    with pytest.raises(DataError, match=r"^validation: the file of the images has a split"):
        Arrays(validation=PIXELS[:9], folder=tmp_path / "split.npz")
    np.savez(tmp_path / "whole.npz", images=PIXELS.numpy(), labels=labels)
    data = Arrays(validation=(PIXELS[:9], labels[:9]), folder=tmp_path / "whole.npz")
    assert (data.classes, data.held_out) == (["cat", "dog"], 9)


def test_too_many_images_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reslag_vae.data.arrays.MOST_KEPT", 100)
    Arrays(PIXELS).keep(tmp_path / "images.npz")
    assert not list(tmp_path.iterdir())


def test_black_and_white_is_known() -> None:
    assert Arrays(PIXELS > 127).binary
    assert not Arrays(PIXELS).binary


@pytest.mark.parametrize("name", ["images", "labels"])
def test_arrays_of_objects_are_not_called_damaged(name: str, tmp_path: Path) -> None:
    arrays = {"images": PIXELS.numpy(), "labels": np.arange(40) % 2}
    np.savez(tmp_path / "lab.npz", **arrays | {name: arrays[name].astype(object)})
    with pytest.raises(DataError, match=r"lab\.npz: holds an array of Python objects") as refused:
        Arrays(folder=tmp_path / "lab.npz")
    assert "damaged" not in str(refused.value)


@pytest.mark.parametrize(("pair", "classes"), [(["b", "a"], ["a", "b"]), ([20, 3], ["3", "20"])])
def test_labels_may_be_objects_of_python_as_those_of_pandas(
    pair: list[object], classes: list[str]
) -> None:
    data = Arrays(PIXELS, np.array(20 * pair, dtype=object))
    assert data.classes == classes
    assert data.store_labels.tolist() == 20 * [1, 0]


def test_class_numbers_are_those_of_the_sorted_labels() -> None:
    labels, names = numbered([np.array([7, -1, 3]), np.array([3, 7])])
    assert labels.tolist() == [1, -1, 0, 0, 1]
    assert names == ["3", "7"]
    labels, names = numbered([np.array(["b", "a"]), np.full(2, -1)])
    assert labels.tolist() == [1, 0, -1, -1]
    assert names == ["a", "b"]


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"validation": PIXELS[:3].numpy()}, r"images\.npz: its array `validation` must say how"),
        ({"validation": np.array("a tenth")}, "`validation` must .* and is a tenth"),
        ({"validation": np.array(41)}, "`validation` must .* and is 41"),
        ({"validation": np.array(-1)}, "`validation` must .* and is -1"),
        ({"class_names": np.array("cat")}, "`class_names` must hold .* and is cat"),
        ({"labels": np.array(["a", "b"] * 20), "class_names": ["a", "b"]}, "up to b"),
        ({"labels": np.arange(40) % 2 + 1, "class_names": ["a", "b"]}, "^labels: .* up to 2"),
    ],
)
def test_what_a_file_says_beside_its_images_is_checked_at_once(
    own: dict[str, object], said: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "images.npz", images=PIXELS.numpy(), **own)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=said) as refused:
        Arrays(folder=tmp_path / "images.npz")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no archive", "is damaged"),
        ({"pixels": np.zeros(3)}, "has no array `images`, but pixels"),
        ({"images": np.array([{}], dtype=object)}, "array of Python objects"),
        (None, "there is no file"),
    ],
)
def test_files_without_images_are_refused_and_nothing_in_them_runs(
    content: object, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "images.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    with pytest.raises(DataError, match=said):
        Arrays(folder=path)

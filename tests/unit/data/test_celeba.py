"""CelebA: both layouts, partitions, attributes and crops."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reslag_vae.data import CelebA, DataError, celeba, celeba_lists

NAMES = ["Bald", "Smiling"]
NUMBERS = (1, 2, 3, 162_770, 162_771, 182_637, 182_638, 202_599)


def place(folder: Path, numbers: tuple[int, ...] = NUMBERS) -> None:
    folder.mkdir(parents=True)
    for number in numbers:
        picture = Image.new("RGB", (178, 218), (number % 256, 0, 0))
        picture.paste((200, 200, 200), (120, 150, 178, 218))
        picture.save(folder / f"{number:06}.jpg")


def attributes(number: int) -> list[int]:
    return [1 if number % 2 else -1, 1 if number > 100 else -1]


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """The official layout; its partition is by the parity of the place, not by number."""
    folder = tmp_path / "celeba"
    place(folder / "img_align_celeba")
    partition = [f"{number:06}.jpg {place % 3}" for place, number in enumerate(NUMBERS)]
    (folder / "list_eval_partition.txt").write_text("\n".join(partition) + "\n")
    rows = [f"{number:06}.jpg {'  '.join(map(str, attributes(number)))}" for number in NUMBERS]
    (folder / "list_attr_celeba.txt").write_text(
        "\n".join(["202599", " ".join(NAMES), *rows]) + "\n"
    )
    return tmp_path


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    """Kaggle's layout, of the same pictures."""
    folder = tmp_path / "celeba"
    place(folder / "img_align_celeba" / "img_align_celeba")
    partition = [f"{number:06}.jpg,{place % 3}" for place, number in enumerate(NUMBERS)]
    (folder / "list_eval_partition.csv").write_text("\n".join(["image_id,partition", *partition]))
    rows = [f"{number:06}.jpg,{','.join(map(str, attributes(number)))}" for number in NUMBERS]
    (folder / "list_attr_celeba.csv").write_text("\n".join(["image_id," + ",".join(NAMES), *rows]))
    return tmp_path


def faces(root: Path, size: int = 16, crop: int | None = None) -> CelebA:
    data = CelebA(root, batch_size=4, val_fraction=0.25, seed=0, size=size, crop=crop)
    data.setup()
    return data


def test_attributes_wait_for_the_pictures(official: Path) -> None:
    data = CelebA(official, batch_size=4, val_fraction=0.25, seed=0, size=16)
    for ask in (lambda: data.attribute_names, lambda: data.attributes("train")):
        with pytest.raises(RuntimeError, match="setup"):
            ask()
    data.setup()
    assert data.attribute_names == NAMES


@pytest.mark.parametrize("layout", ["official", "kaggle"])
def test_both_layouts_give_splits_and_attributes(
    layout: str, request: pytest.FixtureRequest
) -> None:
    data = faces(request.getfixturevalue(layout))
    assert data.image_shape == (3, 16, 16)
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [3, 3, 2]
    assert data.attribute_names == NAMES
    for part, name in enumerate(("train", "val", "test")):
        numbers = NUMBERS[part::3]
        assert data.attributes(name).tolist() == [
            [a > 0 for a in attributes(number)] for number in numbers
        ]
        reds = data.split(name).images[:, 0, 0, 0].int()
        assert (reds - torch.tensor([number % 256 for number in numbers])).abs().max() <= 3
        assert data.split(name).labels.tolist() == [-1] * len(numbers)
    assert data.class_names == []
    assert data.num_classes == 0


def test_without_a_partition_the_official_numbers_count(official: Path) -> None:
    (official / "celeba" / "list_eval_partition.txt").unlink()
    data = faces(official)
    rows = [data.split(name).rows.tolist() for name in ("train", "val", "test")]
    assert rows == [[0, 1, 2, 3], [4, 5], [6, 7]]


def test_a_sample_is_split_at_random_and_says_so(tmp_path: Path) -> None:
    place(tmp_path / "celeba" / "img_align_celeba", tuple(range(1, 21)))
    data = faces(tmp_path)
    assert any("leaves a split empty" in note for note in data.inventory.notes)
    assert any("20 pictures, and not the official 202,599" in note for note in data.inventory.notes)
    rows = [data.split(name).rows.tolist() for name in ("train", "val", "test")]
    assert list(map(len, rows)) == [14, 4, 2]
    assert sorted(row for part in rows for row in part) == list(range(20))
    assert data.attributes("train") is None
    assert data.attribute_names == []


@pytest.mark.parametrize("list_name", ["list_eval_partition.txt", "list_attr_celeba.txt"])
def test_a_list_without_one_of_the_pictures_is_damaged(official: Path, list_name: str) -> None:
    path = official / "celeba" / list_name
    path.write_text(path.read_text().replace("000002.jpg", "000009.jpg"))
    with pytest.raises(
        DataError, match=f"{list_name} has no line for 1 of 8 pictures, the first being 000002.jpg"
    ):
        faces(official).attributes("train")


def test_missing_pictures_give_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        faces(tmp_path)
    message = str(error.value)
    assert str(tmp_path / "celeba" / "img_align_celeba" / "000001.jpg") in message
    assert "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html" in message
    assert "jessicali9530/celeba-dataset" in message


@pytest.mark.parametrize("scale", [1, 2])
def test_a_crop_is_the_same_region_at_half_size(scale: int) -> None:
    region = celeba._region(148)(178 // scale, 218 // scale)
    assert region == tuple(x // scale for x in (15, 35, 163, 183))


def test_the_crop_removes_the_frame(tmp_path: Path) -> None:
    pixels = np.zeros((218, 178, 3), np.uint8)
    pixels[35:183, 15:163] = 200
    pixels[80:120, 60:100] = 204
    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    for number in range(3):
        Image.fromarray(pixels).save(folder / f"{number:06}.jpg", quality=95)
    cropped = faces(tmp_path, size=64, crop=148).split("train").images.float()
    assert (cropped - 200).abs().max() <= 8
    assert faces(tmp_path).split("train").images.min() <= 8


@pytest.mark.parametrize(("option", "value"), [("size", 0), ("crop", 0), ("crop", 179)])
def test_an_argument_out_of_range_is_named(tmp_path: Path, option: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"data.{option}"):
        CelebA(tmp_path, batch_size=4, val_fraction=0.1, seed=0, **{option: value})


def test_a_list_may_begin_with_a_byte_order_mark_and_names_every_column_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("image_id,A,B\n1.jpg,1,-1\n", encoding="utf-8-sig")
    assert celeba_lists.read_list(path, ["1.jpg"])[0] == ["A", "B"]
    for names in ("A", "A,A", "A,B,C"):
        path.write_text(f"image_id,{names}\n1.jpg,1,-1\n")
        with pytest.raises(DataError, match="names for 2 columns"):
            celeba_lists.read_list(path, ["1.jpg"])

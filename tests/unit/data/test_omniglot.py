"""Omniglot: official archives, small ones, folders; what is wrong with a drawing."""

import shutil
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Trainer
from numpy.typing import NDArray
from omegaconf import DictConfig
from PIL import Image
from torchvision import datasets

from reslag_vae.data import DataError, Omniglot
from reslag_vae.data.omniglot import decode_drawing
from reslag_vae.data.sampling import SequentialBatches
from reslag_vae.runs.data import build_data
from reslag_vae.training.build import build_system
from tests.running import REAL

SMALL1 = [
    f"{alphabet}/character0{c}/0{c}_{n}.png"
    for alphabet in ("Greek", "Old")
    for c in (1, 2)
    for n in (1, 2, 3)
]
SMALL2 = [name.replace("Old", "New") for name in SMALL1]


def drawing(name: str) -> NDArray[np.bool_]:
    """(105, 105) of whether there is ink: a block that depends on the name."""
    random = np.random.default_rng(list(name.encode()))
    ink = np.zeros((105, 105), np.bool_)
    top, left = random.integers(60, size=2)
    ink[top : top + 40, left : left + 30] = True
    return ink


def png(ink: NDArray[np.bool_], mode: str = "1") -> bytes:
    file = BytesIO()
    Image.fromarray(~ink).convert(mode).save(file, "PNG")
    return file.getvalue()


def archive(path: Path, names: Iterable[str], **others: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.mkdir(path.stem)
        for name in names:
            file.writestr(f"{path.stem}/{name}", png(drawing(name)))
        for name, content in others.items():
            file.writestr(name, content)
    return path


@pytest.fixture(autouse=True)
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.Omniglot, "download_url_prefix", "file:///nonexistent")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The folder with the two small archives."""
    folder = tmp_path / "omniglot-small"
    archive(folder / "images_background_small1.zip", SMALL1)
    archive(folder / "images_background_small2.zip", SMALL2)
    return folder


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """The folder with the two large archives."""
    folder = tmp_path / "omniglot"
    archive(folder / "images_background.zip", SMALL1)
    archive(folder / "images_evaluation.zip", [name.replace("Greek", "Elder") for name in SMALL1])
    return folder


def omniglot(folder: Path, binarize: str | None = None) -> Omniglot:
    data = Omniglot(folder.parent, 4, 0.2, 0, binarize)  # type: ignore[arg-type]
    data.prepare_data()
    return data


def all_names(data: Omniglot) -> list[str]:
    rows = torch.cat([data.split(name).rows for name in ("train", "val", "test")])
    return sorted(data._source.names[row] for row in rows)


def test_what_both_small_archives_have_is_read_once(small: Path) -> None:
    data = omniglot(small)
    assert all_names(data) == sorted({*SMALL1, *SMALL2})
    assert data.class_names == ["Greek", "New", "Old"]
    assert data.inventory.left_out == {"in images_background_small2 once more": 6}
    assert data.inventory.notes[:2] == [
        "images_background_small1, images_background_small2: "
        "a part of Omniglot (18 of 32,460 drawings)",
        "images_evaluation is not there, and so test is a random part",
    ]


def test_one_small_archive_is_enough(small: Path) -> None:
    (small / "images_background_small1.zip").unlink()
    assert all_names(omniglot(small)) == sorted(SMALL2)


def test_the_evaluation_set_is_test(official: Path) -> None:
    data = omniglot(official)
    assert {data.class_names[label] for label in data.split("test").labels} == {"Elder", "Old"}
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [10, 2, 12]
    assert data.split("train").store is data.split("val").store
    assert data.inventory.notes[:2] == [
        "images_background, images_evaluation: a part of Omniglot (24 of 32,460 drawings)",
        "test is of other alphabets than train: accuracies of classes say nothing",
    ]


def test_the_large_set_goes_before_its_small_parts(official: Path, small: Path) -> None:
    for path in small.iterdir():
        shutil.move(path, official)
    assert "New" not in omniglot(official).class_names


def test_each_image_is_that_of_its_name_upright_and_white_on_black(small: Path) -> None:
    data = omniglot(small)
    train = data.split("train")
    images = {
        data._source.names[row]: image for row, image in zip(train.rows, train.images, strict=True)
    }
    for name, image in images.items():
        expected = drawing(name).repeat(28, 0).repeat(28, 1).reshape(28, 105, 28, 105).mean((1, 3))
        assert np.array_equal(image[0].numpy(), (expected * 255).round().astype(np.uint8))
        assert name.partition("/")[0] == data.class_names[train.labels[list(images).index(name)]]


@pytest.mark.parametrize("mode", ["1", "L"])
def test_a_pixel_is_the_share_of_it_that_is_ink(mode: str) -> None:
    ink = np.random.default_rng(0).random((105, 105)) < 0.3
    pixels = decode_drawing(png(ink, mode)).pixels
    expected = ink.repeat(28, 0).repeat(28, 1).reshape(28, 105, 28, 105).mean((1, 3)) * 255
    assert pixels.shape == (28, 28, 1)
    assert np.abs(pixels[..., 0] - expected).max() <= 0.5 + 1e-9
    assert decode_drawing(png(np.ones((105, 105), np.bool_))).pixels.min() == 255
    assert decode_drawing(png(np.zeros((105, 105), np.bool_))).pixels.max() == 0


def test_unpacked_folders_are_the_same_data(small: Path) -> None:
    packed = omniglot(small)
    for path in list(small.iterdir()):
        with zipfile.ZipFile(path) as file:
            file.extractall(small)
        path.unlink()
    unpacked = omniglot(small)
    assert unpacked.inventory == packed.inventory


def test_nothing_is_unpacked_and_the_second_start_opens_no_drawing(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(small.rglob("*"))
    digests = omniglot(small).inventory.digests
    assert sorted(small.rglob("*")) == before
    monkeypatch.setattr("reslag_vae.data.omniglot.decode_drawing", None)
    assert omniglot(small).inventory.digests == digests


def test_a_changed_archive_is_decoded_anew(small: Path) -> None:
    first = omniglot(small).inventory.digests
    swapped = {f"images_background_small1/{SMALL1[0]}": png(drawing("other"))}
    archive(small / "images_background_small1.zip", SMALL1[1:], **swapped)
    assert omniglot(small).inventory.digests != first


def test_drawn_images_are_not_kept_for_grey_ones(small: Path) -> None:
    grey, dynamic = omniglot(small), omniglot(small, "dynamic")
    assert dynamic.split("val").images.unique().tolist() == [0, 255]
    assert len(grey.split("train").images.unique()) > 2
    assert torch.equal(grey.split("val").labels, dynamic.split("val").labels)
    assert grey.inventory.digests != dynamic.inventory.digests
    order = SequentialBatches(len(dynamic.split("val")), 3)
    again = omniglot(small, "dynamic").split("val")
    assert all(torch.equal(again[i].images, dynamic.split("val")[i].images) for i in order)


def test_other_members_are_left_out_and_counted(small: Path) -> None:
    others = {"__MACOSX/._x": b"x", "images_background_small1/Old/notes.txt": b"x", "read.me": b"x"}
    archive(small / "images_background_small1.zip", SMALL1, **others)
    left_out = omniglot(small).inventory.left_out
    assert left_out["not <alphabet>/<character>/<drawing>.png"] == 3


def jpeg() -> bytes:
    file = BytesIO()
    Image.new("L", (105, 105), 255).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no PNG file"),
        (jpeg(), "it is no PNG file"),
        (png(drawing("x"))[:-40], "truncated"),
        (png(np.zeros((5000, 5000), np.bool_)), "it has 5000 x 5000 pixels of mode 1, not 105 x"),
        (png(drawing("x"), "RGB"), "it has 105 x 105 pixels of mode RGB"),
    ],
    ids=["empty", "JPEG", "truncated", "large", "colour"],
)
@pytest.mark.parametrize("unpacked", [False, True])
def test_a_damaged_drawing_is_named(
    content: bytes, reason: str, unpacked: bool, small: Path
) -> None:
    path = archive(
        small / "images_background_small1.zip",
        SMALL1[:5] + SMALL1[6:],
        **{f"images_background_small1/{SMALL1[5]}": content},
    )
    if unpacked:
        with zipfile.ZipFile(path) as file:
            file.extractall(small)
        path.unlink()
    with pytest.raises(DataError, match=rf"1 of 18 pictures cannot be.*{SMALL1[5]}.*{reason}"):
        omniglot(small)


def test_a_damaged_member_is_named(small: Path) -> None:
    path = small / "images_background_small1.zip"
    content = bytearray(path.read_bytes())
    content[content.index(SMALL1[3].encode()) + len(SMALL1[3]) + 30] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"1 of 18 pictures cannot be decoded.*{SMALL1[3]}"):
        omniglot(small)


def test_an_archive_that_leads_out_or_grows_is_refused(small: Path) -> None:
    path = archive(small / "images_background_small1.zip", SMALL1, **{"../../evil.png": b"x"})
    with pytest.raises(DataError, match="it names a file outside of it"):
        omniglot(small)
    bomb = f"images_background_small1/{SMALL1[0]}"
    archive(path, SMALL1[1:], **{bomb: bytes(2 << 20)})
    with pytest.raises(DataError, match="would take 2,097,152 bytes, more than 1,048,576"):
        omniglot(small)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"small1\.zip is damaged"):
        omniglot(small)


def test_a_folder_without_drawings_is_told(tmp_path: Path) -> None:
    (tmp_path / "omniglot" / "images_background").mkdir(parents=True)
    with pytest.raises(DataError, match=r"There is no drawing in .*images_background"):
        omniglot(tmp_path / "omniglot")


def test_what_is_missing_is_named_with_its_source_and_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images_evaluation\.zip is missing") as error:
        omniglot(tmp_path / "omniglot")
    assert "file:///nonexistent/images_evaluation.zip" in str(error.value)
    assert str(tmp_path / "omniglot") in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_evaluation_set_alone_is_no_reason_to_train_on_nothing(official: Path) -> None:
    (official / "images_background.zip").unlink()
    with pytest.raises(DataError, match=r"images_background\.zip is missing"):
        omniglot(official)


@pytest.mark.parametrize("how", ["null", "dynamic"])
def test_its_configuration_takes_a_step(
    how: str, small: Path, compose: Callable[..., DictConfig], fit: Callable[..., Trainer]
) -> None:
    config = compose(
        "model=optimal_sigma",
        "data=omniglot",
        f"data.root={small.parent}",
        f"data.binarize={how}",
        "recipe.channels=[4,8]",
        "recipe.blocks=[1,1]",
    )
    model = build_system(config)
    trainer = fit(model, build_data(config, model.model), limit_train_batches=1)
    assert trainer.callback_metrics["train/loss"].isfinite()
    assert (config.network.latent_dim, config.trainer.max_epochs) == (50, 40)


@pytest.mark.skipif(not (REAL / "omniglot-small").exists(), reason="needs the real files")
def test_the_real_small_files(tmp_path: Path) -> None:
    shutil.copytree(REAL / "omniglot-small", tmp_path / "omniglot-small")
    data = omniglot(tmp_path / "omniglot-small")
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [3485, 871, 484]
    assert data.inventory.left_out == {"in images_background_small2 once more": 1000}
    assert len(data.class_names) == 8

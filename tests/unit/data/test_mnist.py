"""MNIST's files: plain, compressed, read-only, damaged, missing."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets
from torchvision.datasets import utils

from reslag_vae.data import MNIST, DataError
from tests.running import REAL

LABELS = "train-labels-idx1-ubyte"
IMAGES = "train-images-idx3-ubyte"


def idx(values: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes() + values.tobytes()
    )


def files() -> dict[str, bytes]:
    random = np.random.default_rng(0)
    content = {}
    for prefix, count in (("train", 40), ("t10k", 10)):
        images = random.integers(256, size=(count, 28, 28), dtype=np.uint8)
        content[f"{prefix}-images-idx3-ubyte"] = idx(images)
        content[f"{prefix}-labels-idx1-ubyte"] = idx(np.arange(count, dtype=np.uint8) % 10)
    return content


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder with the four plain files, small."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["file:///nonexistent/"])


def mnist(root: Path) -> MNIST:
    data = MNIST(root, batch_size=8, val_fraction=0.1, seed=0)
    data.prepare_data()
    data.setup()
    return data


def test_official_splits(raw: Path) -> None:
    data = mnist(raw.parents[1])
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [36, 4, 10]
    test = data.split("test")
    assert test.images.shape == (10, 1, 28, 28)
    assert test.images.dtype == torch.uint8
    assert test.labels.tolist() == list(range(10))
    expected = np.frombuffer(files()["t10k-images-idx3-ubyte"], np.uint8, offset=16)
    assert np.array_equal(test.images.numpy().ravel(), expected)


def test_a_read_only_folder_is_only_read(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utils, "download_url", None)
    before = {path: path.stat().st_mtime_ns for path in raw.iterdir()}
    raw.chmod(0o555)
    mnist(raw.parents[1])
    raw.chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in raw.iterdir()} == before


def test_compressed_files_are_enough(raw: Path) -> None:
    plain = mnist(raw.parents[1]).split("train").images
    for path in list(raw.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert torch.equal(mnist(raw.parents[1]).split("train").images, plain)
    assert all(path.suffix == ".gz" for path in raw.iterdir())


def test_only_the_missing_file_is_downloaded(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (raw / LABELS).unlink()
    fetched = []

    def download_url(url: str, root: str, filename: str, md5: str) -> None:
        fetched.append(url)
        Path(root, filename).write_bytes(gzip.compress(files()[LABELS]))

    monkeypatch.setattr(utils, "download_url", download_url)
    assert len(mnist(raw.parents[1]).split("train")) == 36
    assert fetched == [f"file:///nonexistent/{LABELS}.gz"]


def test_a_missing_file_is_named_with_its_source_and_place(raw: Path) -> None:
    (raw / LABELS).unlink()
    before = sorted(raw.iterdir())
    with pytest.raises(DataError) as error:
        mnist(raw.parents[1])
    message = str(error.value)
    assert f"{LABELS}.gz is missing" in message
    assert f"file:///nonexistent/{LABELS}.gz" in message
    assert str(raw.absolute()) in message
    assert "data.root" in message
    assert error.value.__suppress_context__ or error.value.__context__ is None
    assert sorted(raw.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (IMAGES, files()[IMAGES][:-1], "header promises 31376 bytes, and it has 31375"),
        (IMAGES, b"<html>", "begins with 3c68746d"),
        (IMAGES, files()[LABELS], "begins with 00000801"),
        (LABELS, b"", "begins with"),
        (LABELS, idx(np.zeros(39, np.uint8)), "39 labels for 40 images"),
    ],
)
def test_a_damaged_file_is_named(raw: Path, name: str, content: bytes, reason: str) -> None:
    (raw / name).write_bytes(content)
    with pytest.raises(DataError, match=reason) as error:
        mnist(raw.parents[1])
    assert str(raw / name) in str(error.value)


@pytest.mark.parametrize("content", [b"no archive", gzip.compress(files()[IMAGES])[:-20]])
def test_a_damaged_compressed_file_is_named(raw: Path, content: bytes) -> None:
    (raw / IMAGES).unlink()
    (raw / f"{IMAGES}.gz").write_bytes(content)
    with pytest.raises(DataError, match=f"{IMAGES}.gz is damaged"):
        mnist(raw.parents[1])


@pytest.mark.skipif(not REAL.exists(), reason="needs the real files")
def test_the_real_files() -> None:
    data = mnist(REAL)
    assert len(data.split("test")) == 10_000
    assert len(data.split("train")) + len(data.split("val")) >= 17_435
    assert data.split("test").labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_files_that_are_not_the_official_ones_are_told(raw: Path) -> None:
    (note,) = mnist(raw.parents[1]).inventory.notes
    assert note.startswith("train-images-idx3-ubyte, ")
    assert (
        "not the official file(s) of MNIST (40 + 10 images); results are not those of MNIST" in note
    )


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the real files of MNIST and FashionMNIST")
def test_the_official_files_are_known(tmp_path: Path) -> None:
    assert mnist(REAL).inventory.notes == []
    (tmp_path / "MNIST").symlink_to(REAL / "FashionMNIST")
    with pytest.raises(DataError, match="is train-images-idx3-ubyte of FashionMNIST"):
        mnist(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the real files of MNIST")
def test_files_of_one_data_set_that_have_changed_places_are_told(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split, other in (("train", "t10k"), ("t10k", "train")):
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            (raw / f"{split}-{kind}").symlink_to(REAL / "MNIST" / "raw" / f"{other}-{kind}")
    with pytest.raises(
        DataError, match="train-images-idx3-ubyte is t10k-images-idx3-ubyte of MNIST"
    ):
        mnist(tmp_path)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        (LABELS, np.full(40, 10, np.uint8), "it has the label 10, and there are 10 classes from 0"),
        (IMAGES, np.zeros((40, 32, 32), np.uint8), "its images have 32 x 32 pixels, not 28 x 28"),
    ],
)
def test_whole_files_of_another_kind_of_data_set_are_told(
    name: str, values: np.ndarray, reason: str, raw: Path
) -> None:
    (raw / name).write_bytes(idx(values))
    with pytest.raises(DataError, match=f"{name} is damaged: {reason}"):
        mnist(raw.parents[1])


def test_a_pipe_in_a_file_s_place_is_told(raw: Path) -> None:
    (raw / IMAGES).unlink()
    os.mkfifo(raw / IMAGES)
    with pytest.raises(DataError, match="it is no regular file"):
        mnist(raw.parents[1])


def test_a_compressed_file_grows_no_larger_than_it_promises(raw: Path) -> None:
    path = raw / IMAGES
    content = path.read_bytes()
    path.unlink()
    with gzip.open(path.with_name(f"{IMAGES}.gz"), "wb") as file:
        file.write(content + bytes(100_000_000))
    with pytest.raises(DataError, match="its header promises 31376 bytes, and it has more"):
        mnist(raw.parents[1])


def test_a_header_that_promises_without_end_is_damaged(raw: Path) -> None:
    path = raw / IMAGES
    path.write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12 + bytes(1000))
    with pytest.raises(DataError, match="its header promises"):
        mnist(raw.parents[1])

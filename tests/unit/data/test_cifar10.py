"""CIFAR's archive: in the official format, but small."""

import pickle
import tarfile
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets
from torchvision.datasets import utils

from reslag_vae.data import CIFAR10, DataError

NAMES = [f"class {number}" for number in range(10)]
LISTS = {
    "train_list": [f"data_batch_{number}" for number in range(1, 6)],
    "test_list": ["test_batch"],
}


def pixels(name: str) -> np.ndarray:
    return np.random.default_rng(list(name.encode())).integers(256, size=(10, 3072), dtype=np.uint8)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny CIFAR10 as unpacked files and as archive, with md5s in place of the official ones."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()

    def write(name: str, content: object) -> str:
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        return md5((folder / name).read_bytes()).hexdigest()

    for attribute, names in LISTS.items():
        sums = [
            [name, write(name, {"data": pixels(name), "labels": list(range(10))})] for name in names
        ]
        monkeypatch.setattr(datasets.CIFAR10, attribute, sums)
    meta = {"filename": "batches.meta", "key": "label_names"}
    monkeypatch.setattr(
        datasets.CIFAR10, "meta", meta | {"md5": write("batches.meta", {"label_names": NAMES})}
    )
    with tarfile.open(tmp_path / "cifar-10-python.tar.gz", "w:gz") as tar:
        tar.add(folder, folder.name)
    archive = (tmp_path / "cifar-10-python.tar.gz").read_bytes()
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(archive).hexdigest())
    monkeypatch.setattr(datasets.CIFAR10, "url", "file:///nonexistent/cifar-10-python.tar.gz")
    return tmp_path


def remove_unpacked(root: Path) -> None:
    for path in (root / "cifar-10-batches-py").iterdir():
        path.unlink()
    (root / "cifar-10-batches-py").rmdir()


def cifar10(root: Path) -> CIFAR10:
    data = CIFAR10(root, batch_size=8, val_fraction=0.2, seed=0)
    data.setup()
    return data


def test_unpacked_files(root: Path) -> None:
    (root / "cifar-10-python.tar.gz").unlink()
    data = cifar10(root)
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [40, 10, 10]
    assert data.class_names == NAMES
    test = data.split("test")
    assert test.labels.tolist() == list(range(10))
    assert test.store.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(test.images.numpy(), pixels("test_batch").reshape(10, 3, 32, 32))


def test_the_archive_alone(root: Path) -> None:
    expected = cifar10(root).split("train").images
    remove_unpacked(root)
    assert torch.equal(cifar10(root).split("train").images, expected)
    assert {path.name for path in root.iterdir()} == {
        "cifar-10-batches-py",
        "cifar-10-python.tar.gz",
    }


def test_the_archive_is_downloaded_when_nothing_is_there(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = (root / "cifar-10-python.tar.gz").read_bytes()
    (root / "cifar-10-python.tar.gz").unlink()
    remove_unpacked(root)

    def download_url(url: str, folder: str, filename: str, md5: str) -> None:
        Path(folder, filename).write_bytes(archive)

    monkeypatch.setattr(utils, "download_url", download_url)
    assert len(cifar10(root).split("test")) == 10


def test_a_damaged_file_is_named_and_never_unpickled(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"cut")
    monkeypatch.setattr(pickle, "load", None)
    with pytest.raises(DataError, match=r"data_batch_3 is damaged: its md5 is not"):
        cifar10(root)


def test_a_damaged_archive_is_named(root: Path) -> None:
    remove_unpacked(root)
    (root / "cifar-10-python.tar.gz").write_bytes(b"cut")
    with pytest.raises(DataError, match=r"cifar-10-python.tar.gz is damaged: its md5"):
        cifar10(root)


@pytest.mark.parametrize(
    "name", ["../outside", "/tmp/reslag_vae_outside", "cifar-10-batches-py/../../outside"]
)
def test_an_archive_cannot_write_outside_of_its_folder(
    name: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were its md5 the official one."""
    remove_unpacked(root)
    path = root / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name), None)
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz cannot be unpacked"):
        cifar10(root)
    assert [path.name for path in root.iterdir()] == ["cifar-10-python.tar.gz"]
    assert not Path("/tmp/reslag_vae_outside").exists()
    assert not (root.parent / "outside").exists()


def test_a_missing_archive_is_named_with_its_source_and_place(tmp_path: Path, root: Path) -> None:
    (root / "cifar-10-python.tar.gz").unlink()
    remove_unpacked(root)
    with pytest.raises(DataError) as error:
        cifar10(root)
    message = str(error.value)
    assert "cifar-10-python.tar.gz is missing" in message
    assert "file:///nonexistent/cifar-10-python.tar.gz" in message
    assert str(root.absolute()) in message

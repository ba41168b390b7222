"""Static binarisation: both kinds of file, and what is wrong with one."""

import os
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import Trainer
from numpy.typing import NDArray
from omegaconf import DictConfig

from reslag_vae.data import BinarizedMNIST, DataError, binarized_mnist
from reslag_vae.runs.data import build_data
from reslag_vae.training.build import build_system
from tests.running import REAL

SIZES = {"train": 12, "valid": 5, "test": 4}


def arrays() -> dict[str, NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    return {
        name: random.integers(2, size=(size, 28, 28), dtype=np.uint8)
        for name, size in SIZES.items()
    }


def lines(images: NDArray[np.uint8], end: str = "\n") -> str:
    return "".join(" ".join(map(str, row)) + end for row in images.reshape(-1, 784).tolist())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "binarized_mnist").mkdir()
    return tmp_path / "binarized_mnist"


@pytest.fixture
def npz(folder: Path) -> Path:
    np.savez_compressed(folder / "binarized_mnist.npz", **arrays())  # type: ignore[arg-type]
    return folder / "binarized_mnist.npz"


@pytest.fixture
def amat(folder: Path) -> Path:
    """The file of train; the two others lie beside it."""
    for name, images in arrays().items():
        (folder / f"binarized_mnist_{name}.amat").write_text(lines(images))
    return folder / "binarized_mnist_train.amat"


def read(file: Path) -> BinarizedMNIST:
    data = BinarizedMNIST(file.parents[1], batch_size=4, val_fraction=0.5, seed=0)
    data.prepare_data()
    return data


@pytest.mark.parametrize("kind", ["npz", "amat"])
def test_the_official_splits_are_kept_in_black_and_white(
    kind: str, request: pytest.FixtureRequest
) -> None:
    data = read(request.getfixturevalue(kind))
    for split, name in (("train", "train"), ("val", "valid"), ("test", "test")):
        images = data.split(split)  # type: ignore[arg-type]
        assert images.images.dtype == torch.uint8
        assert np.array_equal(images.images[:, 0].numpy(), arrays()[name] * 255)
        assert images.labels.tolist() == [-1] * SIZES[name]
    assert data.split("train").store is data.split("val").store
    assert (data.class_names, data.inventory.pixel_range) == ([], (0, 255))


def test_both_kinds_of_file_are_the_same_data(npz: Path, amat: Path) -> None:
    (note,) = read(npz).inventory.notes
    digests = read(npz).inventory.digests
    npz.unlink()
    (other,) = read(amat).inventory.notes
    assert read(amat).inventory.digests == digests
    assert note.startswith("static binarisation, that of binarized_mnist.npz (12 + 5 + 4 images)")
    assert "that of binarized_mnist_{train,valid,test}.amat" in other
    assert note.endswith("not the official 50,000 + 10,000 + 10,000 images")


@pytest.mark.parametrize("end", [" \n", "\r\n", "\n\n", "\t\n"])
def test_lines_may_end_as_they_like(end: str, amat: Path) -> None:
    amat.write_bytes(lines(arrays()["train"], end).encode())
    assert np.array_equal(read(amat).split("train").images[:, 0].numpy(), arrays()["train"] * 255)


def test_the_last_line_needs_no_end(amat: Path) -> None:
    amat.write_text(lines(arrays()["train"]).rstrip("\n"))
    assert len(read(amat).split("train")) == 12


def test_what_is_missing_is_named_with_its_source_and_place(folder: Path) -> None:
    with pytest.raises(DataError, match=r"larocheh/public/datasets/binarized_mnist/") as error:
        read(folder / "any")
    assert str(folder) in str(error.value)
    assert "binarized_mnist.npz nor binarized_mnist_train.amat" in str(error.value)
    assert list(folder.iterdir()) == []


def test_one_missing_file_is_named_alone(amat: Path) -> None:
    (amat.parent / "binarized_mnist_valid.amat").unlink()
    with pytest.raises(DataError, match=r"neither binarized_mnist.npz nor binarized_mnist_valid"):
        read(amat)


WHOLE = lines(arrays()["train"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it has no images"),
        ("\n \n", "it has no images"),
        (WHOLE[:-100], "its line 12 is not 784 numbers, each 0 or 1"),
        (WHOLE.replace("1", "2"), "its line 1 is not"),
        (WHOLE.replace("1", "1.0"), "its line 1 is not"),
        (WHOLE.replace("1", "-1"), "its line 1 is not"),
        (WHOLE.replace(" ", ""), "its line 1 is not"),
        (WHOLE.replace("\n", " "), "its line 1 is not"),
        (WHOLE.replace(" ", ",", 1), "its line 1 is not"),
        (WHOLE.replace("1", "0"), "the largest value of its images is 0"),
        ("<html>", "its line 1 is not"),
    ],
)
def test_a_damaged_text_is_named(content: str, reason: str, amat: Path) -> None:
    amat.write_text(content)
    with pytest.raises(DataError, match=rf"train\.amat is damaged: {reason}"):
        read(amat)


def with_array(array: NDArray[np.generic]) -> dict[str, NDArray[np.generic]]:
    return {**arrays(), "valid": array}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (with_array(arrays()["valid"] * 255), "valid goes from 0 to 255"),
        (with_array(arrays()["valid"] * 0.5), "valid goes from 0 to 0.5"),
        (with_array(arrays()["valid"] - 1.0), "valid goes from -1 to 0"),
        (with_array(arrays()["valid"] * np.nan), "valid goes from nan to nan"),
        (with_array(arrays()["valid"][:, :27]), r"valid is \(5, 27, 28\) of uint8"),
        (with_array(arrays()["valid"][:, None].repeat(3, 1)), r"valid is \(5, 3, 28, 28\)"),
        (with_array(np.asfortranarray(arrays()["valid"])), "in Fortran's order"),
        (with_array(np.array([{}] * 5)), r"of object"),
        ({"train": arrays()["train"], "val": arrays()["valid"]}, "it has no array valid, but tr"),
        ({}, "it has no array train, but none at all"),
    ],
)
def test_an_array_of_another_kind_is_named_with_what_is_wanted(
    content: dict[str, NDArray[np.generic]], reason: str, npz: Path
) -> None:
    np.savez(npz, **content)  # type: ignore[arg-type]
    message = rf"binarized_mnist\.npz is of another layout: .*{reason}.* Wanted are .*\(N, 784\)"
    with pytest.raises(DataError, match=message) as error:
        read(npz)
    assert "Delete" not in str(error.value)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (arrays()["valid"] * 0, "the largest value of valid is 0"),
        (arrays()["valid"][:0], "valid has no images"),
    ],
)
def test_a_split_without_white_is_damaged(
    images: NDArray[np.uint8], reason: str, npz: Path
) -> None:
    np.savez(npz, **with_array(images))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=rf"binarized_mnist\.npz is damaged: .*{reason}"):
        read(npz)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32", "float64", ">f4"])
@pytest.mark.parametrize("shape", [(-1, 28, 28), (-1, 784), (-1, 1, 28, 28)])
def test_every_kind_of_number_and_flat_images_are_taken(
    dtype: str, shape: tuple[int, ...], npz: Path
) -> None:
    content = {name: own.astype(dtype).reshape(shape) for name, own in arrays().items()}
    np.savez(npz, **content)  # type: ignore[arg-type]
    images = read(npz).split("val").images
    assert images.dtype == torch.uint8
    assert np.array_equal(images[:, 0].numpy(), arrays()["valid"] * 255)


def test_a_pickle_is_not_opened(npz: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch {tmp_path / 'executed'}",)

    np.savez(npz, **with_array(np.array([Evil()] * 5)))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="of object"):
        read(npz)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("keep", [0, 1, 100, -1, -100, -1000])
def test_a_truncated_archive_is_named(keep: int, npz: Path) -> None:
    npz.write_bytes(npz.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"binarized_mnist\.npz is damaged"):
        read(npz)


def test_a_flipped_bit_is_named(npz: Path) -> None:
    content = bytearray(npz.read_bytes())
    content[len(content) // 3] ^= 1
    npz.write_bytes(content)
    with pytest.raises(DataError, match=r"binarized_mnist\.npz is damaged"):
        read(npz)


def header(shape: tuple[int, ...]) -> bytes:
    file = BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def parts(size: int) -> Iterator[bytes]:
    for _ in range(size >> 20):
        yield bytes(1 << 20)


def test_an_archive_grows_no_larger_than_images_are(npz: Path) -> None:
    with (
        zipfile.ZipFile(npz, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("train.npy", "w") as file,
    ):
        for part in parts(1 << 29):
            file.write(part)
    assert npz.stat().st_size < 1 << 20
    with pytest.raises(DataError, match="train would take 536,870,912 bytes, more than"):
        read(npz)


def test_no_room_is_made_for_what_a_header_promises(npz: Path) -> None:
    with zipfile.ZipFile(npz, "w") as archive:
        archive.writestr("train.npy", header((10**12, 28, 28)) + bytes(784))
    with pytest.raises(
        DataError, match=r"train is \(1000000000000, 28, 28\) .*, and has 784 bytes"
    ):
        read(npz)


def test_a_text_without_end_is_not_read(amat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binarized_mnist, "MOST_BYTES", 1000)
    with pytest.raises(DataError, match="it has more than 1,000 bytes"):
        read(amat)


@pytest.mark.parametrize("kind", ["npz", "amat"])
def test_a_pipe_in_a_file_s_place_is_told(kind: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(kind)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="it is no regular file"):
        read(path)


def test_its_configuration_takes_a_step(
    npz: Path, compose: Callable[..., DictConfig], fit: Callable[..., Trainer]
) -> None:
    config = compose(
        "model=optimal_sigma",
        "data=binarized_mnist",
        f"data.root={npz.parents[1]}",
        "recipe.channels=[4,8]",
        "recipe.blocks=[1,1]",
    )
    model = build_system(config)
    trainer = fit(model, build_data(config, model.model), limit_train_batches=1)
    assert trainer.callback_metrics["train/loss"].isfinite()
    assert (config.network.latent_dim, config.trainer.max_epochs) == (50, 40)


@pytest.mark.skipif(not (REAL / "binarized_mnist").exists(), reason="needs the real files")
def test_the_real_file() -> None:
    data = read(REAL / "binarized_mnist" / "binarized_mnist.npz")
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [50_000, 10_000, 10_000]
    assert "not the official" not in data.inventory.notes[0]
    assert data.split("train").images.unique().tolist() == [0, 255]

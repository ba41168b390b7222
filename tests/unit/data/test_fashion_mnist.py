"""FashionMNIST: the real files. Its code is MNIST's, tested there."""

from pathlib import Path

import pytest
import torch

from reslag_vae.data import DataError, FashionMNIST
from tests.running import REAL


def fashion_mnist(root: Path) -> FashionMNIST:
    return FashionMNIST(root, batch_size=32, val_fraction=0.05, seed=0)


def test_missing_files_are_looked_for_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["file:///nonexistent/"])
    with pytest.raises(DataError, match="FashionMNIST/raw"):
        fashion_mnist(tmp_path).setup()


@pytest.mark.skipif(not REAL.exists(), reason="needs the real files")
def test_the_real_files() -> None:
    data = fashion_mnist(REAL)
    data.setup()
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [57_000, 3_000, 10_000]
    assert data.class_names[9] == "Ankle boot"
    assert data.split("test").labels[0] == 9
    counts = torch.bincount(torch.cat([data.split("train").labels, data.split("val").labels]))
    assert counts.tolist() == [6_000] * 10


@pytest.mark.skipif(not REAL.exists(), reason="needs the real files")
def test_the_pixel_variance_of_train_is_the_known_one() -> None:
    data = fashion_mnist(REAL)
    data.setup()
    pixels = torch.bincount(data.split("train").store.flatten(), minlength=256).double()
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = (pixels * values).sum() / pixels.sum()
    variance = (pixels * (values - mean) ** 2).sum() / pixels.sum()
    assert round(variance.item(), 4) == 0.1246

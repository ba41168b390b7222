"""Data sets that torchvision reads, without torchvision."""

import sys
from pathlib import Path

import pytest

from reslag_vae.data import (
    CIFAR10,
    CIFAR100,
    MNIST,
    DataError,
    Digits,
    FashionMNIST,
    ImageDataModule,
    Omniglot,
)


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST, CIFAR10, CIFAR100, Omniglot])
def test_a_data_set_that_needs_torchvision_says_so(
    kind: type[ImageDataModule], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(DataError) as raised:
        kind(root=tmp_path, batch_size=8, val_fraction=0.1, seed=0).prepare_data()
    assert str(raised.value) == (
        f"data={kind.name}: is read by torchvision, which is not installed: "
        "pip install 'reslag_vae[train]'."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_that_does_not_need_torchvision_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    data = Digits(root=tmp_path, batch_size=8, val_fraction=0.1, seed=0)
    data.prepare_data()
    assert len(data.split("train")) > 0

"""CIFAR100: its fine labels. The rest of its code is CIFAR10's, tested there."""

import pickle
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from reslag_vae.data import CIFAR100


def test_fine_labels_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()

    def write(name: str, content: object) -> str:
        (folder / name).write_bytes(pickle.dumps(content))
        return md5((folder / name).read_bytes()).hexdigest()

    for name, count in (("train", 100), ("test", 20)):
        fine = list(reversed(range(count)))
        batch = {
            "data": np.zeros((count, 3072), np.uint8),
            "fine_labels": fine,
            "coarse_labels": [0] * count,
        }
        monkeypatch.setattr(datasets.CIFAR100, f"{name}_list", [[name, write(name, batch)]])
    names = [f"class {number}" for number in range(100)]
    meta = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": write("meta", {"fine_label_names": names}),
    }
    monkeypatch.setattr(datasets.CIFAR100, "meta", meta)

    data = CIFAR100(tmp_path, batch_size=8, val_fraction=0.1, seed=0)
    data.setup()
    assert data.image_shape == tuple(data.split("train").images.shape[1:]) == (3, 32, 32)
    assert data.split("test").labels.tolist() == list(reversed(range(20)))
    assert data.num_classes == 100
    assert data.class_names[99] == "class 99"

"""CIFAR10 as picture files: an image folder under its own name, with CIFAR10's settings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from PIL import Image

from reslag_vae.data import CIFAR10Folder


def test_official_splits_and_classes(tmp_path: Path) -> None:
    for split, count in (("train", 8), ("test", 3)):
        for kind in ("cat", "ship"):
            (tmp_path / split / kind).mkdir(parents=True)
            for number in range(count):
                pixels = np.full((32, 32, 3), number, np.uint8)
                pixels[16:] = 200
                Image.fromarray(pixels).save(tmp_path / split / kind / f"{number}.png")
    data = CIFAR10Folder(tmp_path, batch_size=4, val_fraction=0.25, seed=0, folder=tmp_path)
    data.setup()
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [12, 4, 6]
    assert data.split("test").images[:, 0, 0, 0].tolist() == [0, 1, 2] * 2
    assert (data.name, data.class_names, data.image_shape) == (
        "cifar10_folder",
        ["cat", "ship"],
        (3, 32, 32),
    )


def test_its_settings_are_those_of_cifar10(compose: Callable[..., DictConfig]) -> None:
    config = compose("model=reslag_light", "data=cifar10_folder", "data.folder=pictures")
    assert config.recipe == compose("model=reslag_light", "data=cifar10").recipe
    assert config.data.batch_size == 32

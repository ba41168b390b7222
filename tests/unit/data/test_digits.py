"""Digits: scikit-learn's images, enlarged."""

import torch

from reslag_vae.data import Digits


def test_all_digits_are_uint8_over_the_whole_range() -> None:
    data = Digits(root="unused", batch_size=64, val_fraction=0.1, seed=0)
    data.setup()
    train = data.split("train").images
    assert train.dtype == torch.uint8
    assert train.shape[1:] == data.image_shape == (1, 28, 28)
    assert (train.min(), train.max()) == (0, 255)
    assert data.class_names == list("0123456789")
    assert data.num_classes == 10
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [1455, 162, 180]

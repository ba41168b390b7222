"""Trainers and loaders of a person's own: what the first minibatch of a loop may hold."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from reslag_vae.likelihoods import Bernoulli
from reslag_vae.models import FlatModel
from reslag_vae.networks import PlainNetwork
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import VAE
from tests.trainers import silent_trainer

IMAGES = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return silent_trainer(max_epochs=1, default_root_dir=tmp_path)


def loader(images: Tensor) -> DataLoader[Any]:
    return DataLoader(TensorDataset(images), 4)


def system(binary: bool = False) -> BaseVAE:
    network = PlainNetwork((1, 8, 8), 2, [4], [1])
    return VAE(FlatModel(network, Bernoulli()) if binary else network)


@pytest.mark.parametrize("loop", ["fit", "validate", "test"])
@pytest.mark.parametrize(
    ("images", "said"),
    [
        (255 * IMAGES, "divide them by 255"),
        (2 * IMAGES - 1, r"must lie in \[0, 1\]"),
        (IMAGES * math.nan, "finite values are wanted"),
        (IMAGES.double(), "these are torch.float64"),
        (IMAGES > 0.5, "these are torch.bool"),
        (IMAGES.permute(0, 2, 3, 1), "channels come before height and width"),
        (IMAGES[..., 1:], r"\(B, 1, 8, 8\) are wanted"),
        (IMAGES[:, 0], r"this is list, of \(4, 8, 8\)"),
    ],
)
def test_images_that_the_model_cannot_take_are_refused(
    images: Tensor, said: str, loop: str, trainer: Trainer
) -> None:
    others = [loader(IMAGES)] if loop == "fit" else []
    with pytest.raises(ValueError, match=said):
        getattr(trainer, loop)(system(), loader(images), *others)


@pytest.mark.parametrize("images", [IMAGES, (255 * IMAGES).byte()])
def test_floating_point_and_bytes_are_taken(images: Tensor, trainer: Trainer) -> None:
    trainer.fit(system(), loader(images), loader(images))
    assert math.isfinite(trainer.callback_metrics["val/loss"])


def test_black_and_white_in_bytes_is_0_and_255(trainer: Trainer) -> None:
    """0 and 1 would be divided by 255."""
    ones = (IMAGES > 0.5).byte()
    trainer.validate(system(binary=True), loader(255 * ones), verbose=False)
    trainer.validate(system(binary=True), loader(ones.float()), verbose=False)
    with pytest.raises(ValueError, match="black and white in uint8 is 0 and 255"):
        trainer.validate(system(binary=True), loader(ones), verbose=False)
    with pytest.raises(ValueError, match="black and white ones are wanted"):
        trainer.validate(system(binary=True), loader(IMAGES), verbose=False)

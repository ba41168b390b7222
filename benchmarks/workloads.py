"""The work that is measured: the thesis' three sizes, on random pictures, so that nothing needs to be downloaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from reslag_vae.data import ImageDataModule, Images
from reslag_vae.data.images import Source

CONF = Path(__file__).parents[1] / "conf"


@dataclass(frozen=True)
class Work:
    """A variant on images of one size.

    Attributes:
        name: the data set whose size and thesis settings these are.
        model: of conf/model.
        shape: (C, H, W).
    """

    name: str
    model: str
    shape: tuple[int, int, int]


WORKS = {
    work.name: work
    for work in (
        Work("fashion_mnist", "lagging", (1, 28, 28)),
        Work("cifar10", "reslag_light", (3, 32, 32)),
        Work("celeba", "reslag_light", (3, 64, 64)),
    )
}


class RandomImages(ImageDataModule):
    """Uniform noise: the speed of a step does not depend on what the pictures show.

    Args:
        root: not read.
        batch_size: images in a minibatch.
        val_fraction: the part of train that is taken for validation.
        seed: of the pixels.
        image_shape: (C, H, W).
        count: of training images.
    """

    name = "random"

    def __init__(
        self,
        root: str,
        batch_size: int,
        val_fraction: float,
        seed: int,
        image_shape: tuple[int, int, int],
        count: int,
    ) -> None:
        super().__init__(root, batch_size, val_fraction, seed)
        self.image_shape = (image_shape[0], image_shape[1], image_shape[2])
        self.count = count

    def read(self) -> Source:
        train, few = (self._random(size) for size in (self.count, 2 * self.batch_size))
        return Source(train, few, few, [])

    def _random(self, size: int) -> Images:
        generator = torch.Generator().manual_seed(self.seed)
        channels, height, width = self.image_shape
        pixels = torch.randint(
            256, (size, height, width, channels), generator=generator, dtype=torch.uint8
        )
        return Images(pixels.permute(0, 3, 1, 2), torch.full((size,), -1))


def composed(
    work: Work, batch_size: int, count: int, overrides: tuple[str, ...] = ()
) -> DictConfig:
    """The configuration of train.py for this work on `count` random training images.

    Without other overrides every epoch is joint, and nothing goes to a dashboard.
    """
    options = [
        f"model={work.model}",
        f"data={work.name}",
        "schedule.epochs=0",
        "logger=none",
        *overrides,
    ]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", options)
    data: dict[str, Any] = {
        "_target_": "benchmarks.workloads.RandomImages",
        "root": ".",
        "batch_size": batch_size,
        "val_fraction": 0.1,
        "seed": 0,
        "image_shape": list(work.shape),
        "count": count,
    }
    config.data, config.recipe.image_shape = OmegaConf.create(data), list(work.shape)
    return config

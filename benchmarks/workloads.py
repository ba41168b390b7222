"""The workloads: the thesis' three sizes, on random pictures, so that nothing is downloaded."""

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
class Workload:
    """A variant on images of one size.

    Attributes:
        name: name of the data set whose size and thesis settings these are.
        model: name of the variant, as in conf/model.
        shape: (C, H, W) of the images.
    """

    name: str
    model: str
    shape: tuple[int, int, int]


WORKLOADS = {
    work.name: work
    for work in (
        Workload("fashion_mnist", "lagging", (1, 28, 28)),
        Workload("cifar10", "reslag_light", (3, 32, 32)),
        Workload("celeba", "reslag_light", (3, 64, 64)),
    )
}


class RandomImages(ImageDataModule):
    """Images of uniform noise: the speed of a step does not depend on what pictures show.

    Args:
        root: folder of the data, which is not read.
        batch_size: number of images in a minibatch.
        val_fraction: share of the training images that is taken for validation.
        seed: seed of the pixels.
        image_shape: (C, H, W) of the images.
        count: number of training images.
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
        """Return the training images, and two batches for validation and test."""
        train, few = self._random(self.count), self._random(2 * self.batch_size)
        return Source(train, few, few, [])

    def _random(self, size: int) -> Images:
        generator = torch.Generator().manual_seed(self.seed)
        channels, height, width = self.image_shape
        pixels = torch.randint(
            256, (size, height, width, channels), generator=generator, dtype=torch.uint8
        )
        return Images(pixels.permute(0, 3, 1, 2), torch.full((size,), -1))


def compose_config(
    work: Workload, batch_size: int, count: int, overrides: tuple[str, ...] = ()
) -> DictConfig:
    """Return the configuration of train.py for a workload on random training images.

    There are `count` training images. Without other overrides every epoch is joint, and nothing
    goes to a dashboard.
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

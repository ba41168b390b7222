"""What a model takes from the data before its first update."""

from typing import TYPE_CHECKING

import torch

from reslag_vae.data import ImageDataModule
from reslag_vae.likelihoods.pixels import unit_interval

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE

# Training images whose features a posterior starts from
IMAGES = 1024


@torch.no_grad()
def start_from_data(system: "BaseVAE") -> None:
    """Start the posteriors that do so from features of training images, evenly spaced among all.

    Raises:
        ValueError: there are too few training images.
    """
    if not any(own.starts_from_data for own in system.model.posteriors()):
        return
    data = getattr(system.trainer, "datamodule", None)
    assert isinstance(data, ImageDataModule), "what this package trains on"
    train = data.split("train")
    count = min(IMAGES, len(train))
    images = train[torch.arange(count) * len(train) // count].images
    system.model.start(unit_interval(images.to(system.device)))

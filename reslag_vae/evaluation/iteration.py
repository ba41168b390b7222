"""How an evaluation goes through images with any model: in evaluation mode, some at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from reslag_vae.data import Images
from reslag_vae.evaluation.adapters import LatentModel
from reslag_vae.latents.base import joined
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.models.inputs import as_images

# Images that go through a network at a time, and the numbers in them, at most: enough to be fast,
# and a bound on the memory, since the features of a network are many times larger than the images.
CHUNK, NUMBERS = 512, 2**20


def device_of(model: LatentModel) -> torch.device:
    """Of the model's parameters; the CPU if it has none."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def latent_dim_of(model: LatentModel, images: Tensor) -> int:
    """Return d, the model's own or that of its latents of some images."""
    known: int | None = getattr(model, "latent_dim", None)
    if known is not None:
        return known
    with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        return model.infer(images).dimensions


def posterior_means(model: LatentModel, images: Tensor) -> Tensor:
    """Return the (B, d) posterior means of images, without drawing a random number."""
    still = images.new_zeros(len(images), latent_dim_of(model, images))
    return joined(model.infer(images, (still,)).means)


@contextmanager
def evaluating(model: LatentModel) -> Iterator[None]:
    """Within the context the model is in evaluation mode and keeps no graph; afterwards its mode is as it was."""
    training = model.training
    model.train(False)
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def chunk_size(numbers: int) -> int:
    """How many images of so many numbers go through a network at a time."""
    return max(1, min(CHUNK, NUMBERS // numbers))


def chunks(
    images: Tensor | Images, device: torch.device, most: int | None = None
) -> Iterator[Tensor]:
    """(B, C, H, W) images in [0, 1] on a device, some at a time, in order.

    Args:
        images: as `checked_images` gives them; a split of a data module is read bit by bit.
        device: where to.
        most: images at a time, if fewer than fit are wanted.
    """
    store = images.store if isinstance(images, Images) else images
    size = chunk_size(store[0].numel())
    for rows in torch.split(
        torch.arange(len(images)), size if most is None else max(1, min(size, most))
    ):
        part = images[rows].images if isinstance(images, Images) else images[rows]
        yield unit_interval(part.to(device))


def checked_images(images: Any, model: LatentModel | None = None) -> Tensor | Images:
    """The images that a function of this package is given, looked at once.

    Args:
        images: a split of a data module, or what `inputs.as_images` takes.
        model: whose images they must be, where it says of which shape these are.

    Raises:
        ValueError: they are no images, not of the model's shape, or their values none of pixels.
    """
    shape = getattr(model, "image_shape", None)
    if isinstance(images, Images):
        if not len(images) or (shape is not None and tuple(images.store.shape[1:]) != tuple(shape)):
            has = (len(images), *images.store.shape[1:])
            raise ValueError(
                f"images: (B, *{shape}) are wanted, B at least 1, and the split has {has}."
            )
        return images
    own = as_images(images, shape)
    parameter = None if model is None else next(model.parameters(), None)
    return own if parameter is None or not own.is_floating_point() else own.to(parameter.dtype)


def check_seed(seed: Any) -> None:
    """Refuse what is no seed.

    Raises:
        ValueError: it is no whole number from 0 to 2^32 - 1.
    """
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed}: must be a whole number from 0 to {2**32 - 1}.")

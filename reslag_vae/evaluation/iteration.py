"""Iteration over images with any model: in evaluation mode, and in chunks of bounded memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from reslag_vae._runtime.images import as_images
from reslag_vae.data.images import Images
from reslag_vae.data.placement import free_memory
from reslag_vae.evaluation.adapters import LatentModel
from reslag_vae.latents.inferred import Inferred, joined
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.models import GenerativeModel
from reslag_vae.models.number_inputs import check_whole

M = TypeVar("M", bound=LatentModel)

# Images that go through a network at a time, and the numbers in them, at most: enough to be fast,
# and a bound on the memory, since the features of a network are many times larger than the images.
# A GPU needs more of them to be busy, and gives half of its free memory at most: features take
# fewer bytes for each number of an image, those of the usual PixelCNN 3,072 of a grey one.
CHUNK, NUMBERS = 512, 2**20
GPU_CHUNK, GPU_NUMBERS, GPU_SHARE, BYTES_PER_NUMBER = 8192, 2**24, 0.5, 4096


def device_of(model: LatentModel) -> torch.device:
    """Return the device of a model's parameters; the CPU if it has none."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def latent_dim_of(model: LatentModel, images: Tensor) -> int:
    """Return d, the number of latent dimensions.

    It is inferred from some images where the model does not state it; the global random state is
    left unchanged.

    Args:
        model: any model.
        images: (B, C, H, W) floating point in [0, 1], of which at least one is needed.
    """
    known: int | None = getattr(model, "latent_dim", None)
    if known is not None:
        return known
    with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        return model.infer(images).dimensions


def noise_of_levels(model: LatentModel, noise: Tensor) -> tuple[Tensor, ...]:
    """Return (N, d) noise of all latents as the (N, d_l) noise of each level.

    A model that does not state its levels has one.
    """
    dimensions: tuple[int, ...] | None = getattr(model, "level_dims", None)
    return (noise,) if dimensions is None else torch.split(noise, list(dimensions), dim=1)


def posterior_means(model: LatentModel, images: Tensor) -> Tensor:
    """Return the (B, d) posterior means of images, without drawing a random number."""
    still = images.new_zeros(len(images), latent_dim_of(model, images))
    return joined(model.infer(images, noise_of_levels(model, still)).means)


def shifts_of(model: LatentModel, images: Tensor, inferred: Inferred) -> Tensor:
    """Return the (B, d) `Inferred.shifts` of images, whose variance over images tells of images.

    Where latents are inferred on a way upwards, what is inferred from their samples varies without
    any image: those of the posterior means take their place.

    Args:
        model: any model.
        images: (B, C, H, W) images in [0, 1].
        inferred: result of inference on them.
    """
    if not inferred.estimated:
        return inferred.shifts
    still = images.new_zeros(inferred.code.shape)
    return model.infer(images, noise_of_levels(model, still)).shifts


@contextmanager
def evaluating(model: LatentModel) -> Iterator[None]:
    """Put a model into evaluation mode within the context, without gradients.

    Afterwards its mode is as it was, also after an error.
    """
    training = model.training
    model.train(False)
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def chunk_size(numbers: int, device: torch.device) -> int:
    """Return how many images of so many numbers each go through a network at a time.

    Args:
        numbers: C·H·W.
        device: device of the network.
    """
    if device.type == "cuda":
        fitting = int(GPU_SHARE * free_memory(device) / BYTES_PER_NUMBER)
        return max(1, min(GPU_CHUNK, min(GPU_NUMBERS, fitting) // numbers))
    return max(1, min(CHUNK, NUMBERS // numbers))


def chunks(
    images: Tensor | Images, device: torch.device, most: int | None = None
) -> Iterator[Tensor]:
    """Yield (B, C, H, W) images in [0, 1] on a device, some at a time, in order.

    Args:
        images: images as `checked_images` returns them; a split of a data module is never held in
            floating point as a whole.
        device: device of the yielded images.
        most: the number of images at a time, at most; None is as many as fit.
    """
    store = images.store if isinstance(images, Images) else images
    size = chunk_size(store[0].numel(), device)
    if most is not None:
        size = max(1, min(size, most))
    for rows in torch.split(torch.arange(len(images)), size):
        part = images[rows].images if isinstance(images, Images) else images[rows]
        yield unit_interval(part.to(device))


def told_of_split(model: M, images: Tensor | Images) -> M:
    """Return a conditional model that is told of a split's images, or any other as it is.

    Args:
        model: any model.
        images: a split of a data module; a tensor of images tells nothing.
    """
    if not isinstance(model, GenerativeModel) or not isinstance(images, Images):
        return model
    if model.condition is None or model.conditions is not None:
        return model
    return model.told(model.condition.numbers(images.told).to(model.parameter))


def of_rows(model: M, rows: Tensor | slice) -> M:
    """Return a conditional model that is told of some of the images alone, or any as it is.

    Args:
        model: any model. One that is told of one image is told that of all.
        rows: positions among the images that it is told of.
    """
    told = model.conditions if isinstance(model, GenerativeModel) else None
    if not isinstance(model, GenerativeModel) or told is None or len(told) == 1:
        return model
    return model.told(told[rows])


def given_chunks(
    model: M, images: Tensor | Images, most: int | None = None
) -> Iterator[tuple[M, Tensor]]:
    """Yield a model that is told of some images, and these: see `chunks`.

    Args:
        model: any model, on whose device and in whose precision the images are.
        images: images as `checked_images` returns them.
        most: the number of images at a time, at most; None is as many as fit.

    Raises:
        ValueError: a conditional model was told of another number of images.
    """
    model, first = told_of_split(model, images), 0
    conditions = model.conditions if isinstance(model, GenerativeModel) else None
    if conditions is not None and len(conditions) not in (1, len(images)):
        raise ValueError(
            f"the model was told of {len(conditions)} images, and these are {len(images)}."
        )
    parameter = next(model.parameters(), None)
    for part in chunks(images, device_of(model), most):
        own = part if parameter is None else part.to(parameter.dtype)
        yield of_rows(model, slice(first, first + len(own))), own
        first += len(own)


def checked_images(images: Any, model: LatentModel | None = None) -> Tensor | Images:
    """Return the images that a public function is given, checked and in the model's precision.

    Args:
        images: a split of a data module, or what `_runtime.images.as_images` takes.
        model: a model that must take such images; None accepts any shape.

    Raises:
        ValueError: they are not images, not of the model's shape, not in the range of pixels, or
            greys of which the model's likelihood gives no probability; or the model is in half
            precision.
    """
    parameter = None if model is None else next(model.parameters(), None)
    if parameter is not None and parameter.dtype in (torch.float16, torch.bfloat16):
        raise ValueError(
            f"model: its parameters are {parameter.dtype}, in which the sums over pixels are off "
            "by whole nats: call its float()."
        )
    shape = getattr(model, "image_shape", None)
    binary: bool = getattr(getattr(model, "likelihood", None), "binary", False)
    if isinstance(images, Images):
        if not len(images) or (shape is not None and tuple(images.store.shape[1:]) != tuple(shape)):
            has = (len(images), *images.store.shape[1:])
            raise ValueError(
                f"images: (B, *{shape}) are wanted, B at least 1, and the split has {has}."
            )
        if binary:
            refuse_greys(images)
        return images
    given = as_images(images, shape, binary)
    if parameter is None or not given.is_floating_point():
        return given
    return given.to(parameter.dtype)


def refuse_greys(images: Images) -> None:
    """Refuse a split whose pixels are not all black or white.

    Raises:
        ValueError: a pixel is neither 0 nor 255.
    """
    for rows in torch.split(torch.arange(len(images)), CHUNK):
        pixels = images[rows].images
        if not ((pixels == 0) | (pixels == 255)).all():
            raise ValueError(
                "images: a split of black and white is wanted, of 0 and 255: the model's "
                "likelihood gives nothing else a probability."
            )


def check_seed(seed: Any) -> int:
    """Return a seed as a whole number of Python's own.

    Raises:
        ValueError: it is not a whole number from 0 to 2^32 - 1.
    """
    return check_whole("seed", seed, 0, 2**32 - 1)

"""What an evaluation asks of a model, and how it goes through images: any encoder and decoder will do."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from reslag_vae.data import Images
from reslag_vae.distributions import DiagonalGaussian, Point, Posterior
from reslag_vae.records import unit_interval

# Images that go through a network at a time, and the numbers in them, at most: enough to be fast, and a bound on the
# memory, since the features of a network are many times larger than the images.
CHUNK, NUMBERS = 512, 2**20

# By which images in floating point may leave [0, 1], as those do that were resized.
TOLERANCE = 0.01

T = TypeVar("T")
Encoded = Tensor | tuple[Tensor, Tensor]


class LatentModel(Protocol):
    """A PyTorch module with these two functions: every variant of this package, and `EncoderDecoder`."""

    training: bool

    def posterior(self, images: Tensor) -> Posterior:
        """Posterior of (B, C, H, W) images, floating point in [0, 1]."""

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, H, W) likelihood means of (B, d) latents."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Their device is the model's."""

    def train(self, mode: bool = True) -> nn.Module:
        """Training or evaluation mode."""


class EncoderDecoder(nn.Module):
    """A foreign pair, for the functions of this package that take a model.

    Modules, or methods of modules, are put into evaluation mode with it; of other functions it knows no parameters, so
    that they are taken to be on the CPU and in evaluation mode already, unless their modules are given.

    Args:
        encoder: (B, C, H, W) images in [0, 1] to (B, d) codes, or to a pair of (B, d) means and (B, d) natural
            logarithms of variances.
        decoder: (B, d) latents to (B, C, H, W) means in [0, 1].
        modules: that the two functions use.

    Raises:
        ValueError: when used: the encoder or the decoder gives something else.
    """

    def __init__(
        self,
        encoder: Callable[[Tensor], Encoded],
        decoder: Callable[[Tensor], Tensor],
        modules: Sequence[nn.Module] = (),
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        owners = [getattr(function, "__self__", None) for function in (encoder, decoder)]
        self.owners = nn.ModuleList([*(owner for owner in owners if isinstance(owner, nn.Module)), *modules])

    def posterior(self, images: Tensor) -> Posterior:
        """Posterior of (B, C, H, W) images, floating point in [0, 1]."""
        encoded = self.encoder(images)
        parts = (encoded,) if isinstance(encoded, Tensor) else encoded
        if not isinstance(parts, tuple) or len(parts) > 2 or not all(isinstance(part, Tensor) for part in parts):
            raise ValueError(f"The encoder gives {type(encoded).__name__}, not codes or a pair (means, log-variances).")
        if parts[0].dim() != 2 or len(parts[0]) != len(images) or parts[0].shape != parts[-1].shape:
            shapes = " and ".join(str(tuple(part.shape)) for part in parts)
            raise ValueError(f"The encoder gives {shapes} for {len(images)} images, not one line of numbers for each.")
        return Point(*parts) if len(parts) == 1 else DiagonalGaussian(*parts)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, H, W) images of (B, d) latents."""
        images = self.decoder(latents)
        if images.dim() != 4:
            raise ValueError(f"The decoder gives {tuple(images.shape)} for {len(latents)} latents, not (B, C, H, W).")
        return images


def device_of(model: LatentModel) -> torch.device:
    """Of the model's parameters; the CPU if it has none."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


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


def chunks(images: Tensor | Images, device: torch.device, most: int | None = None) -> Iterator[Tensor]:
    """(B, C, H, W) images in [0, 1] on a device, some at a time, in order.

    Args:
        images: (N, C, H, W) uint8 or floating point in [0, 1], or a split of a data module, which is read bit by bit.
        device: where to.
        most: images at a time, if fewer than fit are wanted.

    Raises:
        ValueError: they are not images in [0, 1].
    """
    check_images(images)
    store = images.store if isinstance(images, Images) else images
    size = chunk_size(store[0].numel())
    for rows in torch.split(torch.arange(len(images)), size if most is None else max(1, min(size, most))):
        part = images[rows].images if isinstance(images, Images) else images[rows]
        if part.dtype != torch.uint8 and not (part.min() >= -TOLERANCE and part.max() <= 1 + TOLERANCE):
            raise ValueError(
                f"images: floating point must lie in [0, 1], and reaches from {float(part.min()):g} to "
                f"{float(part.max()):g}."
            )
        yield unit_interval(part.to(device))


def check_images(images: Tensor | Images) -> None:
    """See that there are images, of the right shape and kind.

    Raises:
        ValueError: there are not.
    """
    if isinstance(images, Images):
        return
    if not isinstance(images, Tensor):
        raise ValueError(f"images: a tensor or a split of a data module is wanted, not {type(images).__name__}.")
    if images.dim() != 4 or not len(images) or not (images.dtype == torch.uint8 or images.is_floating_point()):
        raise ValueError(
            f"images: (N, C, H, W) uint8 or floating point is wanted, not {tuple(images.shape)} {images.dtype}."
        )

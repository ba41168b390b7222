"""What an evaluation asks of a model, and how it goes through images: any encoder and decoder will do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from reslag_vae.data import Images
from reslag_vae.distributions import DiagonalGaussian, Point, Posterior
from reslag_vae.records import unit_interval

# Images that go through a network at a time: enough to be fast, and a bound on the memory.
CHUNK = 512

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

    Args:
        encoder: (B, C, H, W) images in [0, 1] to (B, d) codes, or to a pair of (B, d) means and (B, d) natural
            logarithms of variances.
        decoder: (B, d) latents to (B, C, H, W) means in [0, 1].
    """

    def __init__(self, encoder: Callable[[Tensor], Encoded], decoder: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def posterior(self, images: Tensor) -> Posterior:
        """Posterior of (B, C, H, W) images, floating point in [0, 1]."""
        encoded = self.encoder(images)
        return Point(encoded) if isinstance(encoded, Tensor) else DiagonalGaussian(*encoded)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, H, W) images of (B, d) latents."""
        return self.decoder(latents)


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


def chunks(images: Tensor | Images, device: torch.device, size: int = CHUNK) -> Iterator[Tensor]:
    """(B, C, H, W) images in [0, 1] on a device, at most `size` at a time, in order.

    Args:
        images: (N, C, H, W) uint8 or floating point in [0, 1], or a split of a data module, which is read bit by bit.
        device: where to.
        size: of a chunk.
    """
    for rows in torch.split(torch.arange(len(images)), size):
        part = images[rows].images if isinstance(images, Images) else images[rows]
        yield unit_interval(part.to(device))

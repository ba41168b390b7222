"""What an evaluation asks of a model, and how it goes through images: any encoder and decoder will do."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from reslag_vae.data import Images
from reslag_vae.latents import DiagonalGaussian, Inferred, Point, PosteriorDensity
from reslag_vae.latents.base import joined
from reslag_vae.likelihoods import Likelihood
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.models.inputs import as_images

# Images that go through a network at a time, and the numbers in them, at most: enough to be fast,
# and a bound on the memory, since the features of a network are many times larger than the images.
CHUNK, NUMBERS = 512, 2**20

T = TypeVar("T")
Encoded = Tensor | tuple[Tensor, Tensor]


class LatentModel(Protocol):
    """A PyTorch module with these two functions: every variant of this package, and `EncoderDecoder`."""

    training: bool

    def infer(self, images: Tensor, noise: tuple[Tensor, ...] | None = None) -> Inferred:
        """Return the latents of (B, C, H, W) images in [0, 1], with (B · K, d) noise K for each."""

    def parameters_at(self, code: Tensor) -> Tensor:
        """Return the likelihood's (B, P, H, W) parameters for (B, d) latents."""

    def decode(self, latents: Tensor) -> Tensor:
        """Return the (B, C, H, W) likelihood means of (B, d) latents."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Their device is the model's."""

    def train(self, mode: bool = True) -> nn.Module:
        """Training or evaluation mode."""


class EncoderDecoder(nn.Module):
    """A foreign pair, for the functions of this package that take a model.

    Modules, or methods of modules, are put into evaluation mode with it; of other functions it
    knows no parameters, so that they are taken to be on the CPU and in evaluation mode already,
    unless their modules are given.

    Args:
        encoder: (B, C, H, W) images in [0, 1] to (B, d) codes, or to a pair of (B, d) means and (B,
            d) natural logarithms of variances.
        decoder: (B, d) latents to (B, C, H, W) means in [0, 1] or, where a likelihood is given, to
            its (B, P, H, W) parameters.
        modules: that the two functions use.
        likelihood: p(x|z) whose parameters the decoder gives, such as logits; None if these are
            means, all that is known of it.

    Attributes:
        latent_dim: d; None before the first images are encoded.

    Raises:
        ValueError: when used: the encoder or the decoder gives something else.
    """

    def __init__(
        self,
        encoder: Callable[[Tensor], Encoded],
        decoder: Callable[[Tensor], Tensor],
        modules: Sequence[nn.Module] = (),
        likelihood: Likelihood | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.likelihood = encoder, decoder, likelihood
        self.latent_dim: int | None = None
        owners = [getattr(function, "__self__", None) for function in (encoder, decoder)]
        self.owners = nn.ModuleList(
            [*(owner for owner in owners if isinstance(owner, nn.Module)), *modules]
        )

    def infer(self, images: Tensor, noise: tuple[Tensor, ...] | None = None) -> Inferred:
        """Return the latents of (B, C, H, W) images in [0, 1], with the prior N(0, I)."""
        density = self.posterior(images)
        own = None if noise is None else noise[0]
        if own is not None and len(own) > len(images):
            density = density.repeat(len(own) // len(images))
        zeros = torch.zeros_like(density.mean[0])
        prior = DiagonalGaussian(zeros, zeros)
        return Inferred((density,), (prior,), (density.rsample(own),), (density.standard_kl(),), {})

    def posterior(self, images: Tensor) -> PosteriorDensity:
        """Return the posterior of (B, C, H, W) images, floating point in [0, 1]."""
        encoded = self.encoder(images)
        parts = (encoded,) if isinstance(encoded, Tensor) else encoded
        if (
            not isinstance(parts, tuple)
            or len(parts) > 2
            or not all(isinstance(part, Tensor) for part in parts)
        ):
            raise ValueError(
                f"The encoder gives {type(encoded).__name__}, not codes or a pair (means, log-variances)."
            )
        if parts[0].dim() != 2 or len(parts[0]) != len(images) or parts[0].shape != parts[-1].shape:
            shapes = " and ".join(str(tuple(part.shape)) for part in parts)
            raise ValueError(
                f"The encoder gives {shapes} for {len(images)} images, not one line of numbers for each."
            )
        self.latent_dim = parts[0].shape[1]
        return Point(*parts) if len(parts) == 1 else DiagonalGaussian(*parts)

    def parameters_at(self, code: Tensor) -> Tensor:
        """Return what the decoder gives for (B, d) latents, (B, P, H, W)."""
        parameters = self.decoder(code)
        if parameters.dim() != 4:
            raise ValueError(
                f"The decoder gives {tuple(parameters.shape)} for {len(code)} latents, not "
                "(B, C, H, W)."
            )
        return parameters

    def decode(self, latents: Tensor) -> Tensor:
        """Return the (B, C, H, W) mean images of (B, d) latents."""
        parameters = self.parameters_at(latents)
        return parameters if self.likelihood is None else self.likelihood.mean(parameters)


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
        images: as `wanted` gives them; a split of a data module is read bit by bit.
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


def wanted(images: Any, model: LatentModel | None = None) -> Tensor | Images:
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

"""What an evaluation asks of a model, and how it goes through images: any encoder and decoder will do."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from reslag_vae.latents import DiagonalGaussian, Inferred, Point, PosteriorDensity
from reslag_vae.likelihoods import Likelihood

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

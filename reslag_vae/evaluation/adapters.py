"""The interface that evaluations ask of a model, and an adapter for any encoder and decoder."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from reslag_vae.latents import DiagonalGaussian, Inferred, Point, PosteriorDensity
from reslag_vae.likelihoods import Likelihood

Encoded = Tensor | tuple[Tensor, Tensor]


class LatentModel(Protocol):
    """A PyTorch module with an encoder and a decoder, which any evaluation takes.

    Every model of this package is one, and so is an `EncoderDecoder`.

    Attributes:
        training: whether it is in training mode.
    """

    training: bool

    def infer(self, images: Tensor, noise: tuple[Tensor, ...] | None = None) -> Inferred:
        """Return the latents of images.

        Args:
            images: (B, C, H, W) floating point in [0, 1].
            noise: (B · K, d) standard normal numbers of each level: K samples for each image, next
                to each other; one is drawn if None.
        """

    def parameters_at(self, code: Tensor) -> Tensor:
        """Return the likelihood's (B, P, H, W) parameters for (B, d) latents."""

    def decode(self, latents: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the (B, C, H, W) images of (B, d) latents: means of p(x|z).

        Where it has none they are samples, by a generator on the CPU; None draws the same numbers
        at each call.
        """

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return the parameters, whose device is the model's."""

    def train(self, mode: bool = True) -> nn.Module:
        """Put the module into training or evaluation mode, and return it."""


class EncoderDecoder(nn.Module):
    """A model made of a foreign encoder and decoder, for the functions of this package.

    Its prior is N(0, I). Modules, or methods of modules, are put into evaluation mode with it. Of
    other functions it knows no parameters: they are taken to be on the CPU and in evaluation mode
    already, unless their modules are given. An encoder or a decoder that gives something else than
    it should is found when it is used.

    Args:
        encoder: function from (B, C, H, W) images in [0, 1] to (B, d) codes, or to a pair of (B, d)
            means and (B, d) natural logarithms of variances.
        decoder: function from (B, d) latents to (B, C, H, W) means in [0, 1] or, where a likelihood
            is given, to its (B, P, H, W) parameters.
        modules: modules that the two functions use.
        likelihood: p(x|z) whose parameters the decoder gives, such as logits; None if the decoder
            gives means and nothing else is known of p(x|z).

    Attributes:
        latent_dim: d, the number of latent dimensions; None before the first images are encoded.
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
        """Return the latents of (B, C, H, W) images in [0, 1], with the prior N(0, I).

        Raises:
            ValueError: the encoder gives neither codes nor a pair of means and log-variances.
        """
        density = self.posterior(images)
        own = None if noise is None else noise[0]
        if own is not None and len(own) > len(images):
            density = density.repeat(len(own) // len(images))
        zeros = torch.zeros_like(density.mean[0])
        prior = DiagonalGaussian(zeros, zeros)
        return Inferred((density,), (prior,), (density.rsample(own),), (density.standard_kl(),), {})

    def posterior(self, images: Tensor) -> PosteriorDensity:
        """Return the posterior of (B, C, H, W) images, floating point in [0, 1].

        Raises:
            ValueError: the encoder gives neither codes nor a pair of means and log-variances.
        """
        encoded = self.encoder(images)
        parts = (encoded,) if isinstance(encoded, Tensor) else encoded
        if (
            not isinstance(parts, tuple)
            or len(parts) > 2
            or not all(isinstance(part, Tensor) for part in parts)
        ):
            kind = type(encoded).__name__
            raise ValueError(
                f"The encoder gives {kind}, not codes or a pair (means, log-variances)."
            )
        if parts[0].dim() != 2 or len(parts[0]) != len(images) or parts[0].shape != parts[-1].shape:
            shapes = " and ".join(str(tuple(part.shape)) for part in parts)
            raise ValueError(
                f"The encoder gives {shapes} for {len(images)} images, not one line of numbers "
                "for each."
            )
        self.latent_dim = parts[0].shape[1]
        return Point(*parts) if len(parts) == 1 else DiagonalGaussian(*parts)

    def parameters_at(self, code: Tensor) -> Tensor:
        """Return the decoder's (B, P, H, W) numbers for (B, d) latents.

        Raises:
            ValueError: the decoder gives another shape.
        """
        parameters = self.decoder(code)
        if parameters.dim() != 4:
            raise ValueError(
                f"The decoder gives {tuple(parameters.shape)} for {len(code)} latents, not "
                "(B, C, H, W)."
            )
        return parameters

    def decode(self, latents: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the (B, C, H, W) images of (B, d) latents: see `Likelihood.image`.

        Raises:
            ValueError: the decoder gives another shape.
        """
        parameters = self.parameters_at(latents)
        if self.likelihood is None:
            return parameters
        return self.likelihood.image(parameters, generator)

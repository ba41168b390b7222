"""The flat model: one level of latents between an encoder and a decoder."""

from typing import Any, Self

import torch
from torch import Tensor, nn

from reslag_vae.latents import (
    GaussianPosterior,
    Inferred,
    Level,
    PointPosterior,
    Posterior,
    PosteriorDensity,
    Prior,
)
from reslag_vae.latents.codes import CodePosterior
from reslag_vae.latents.standard_normal import StandardNormal
from reslag_vae.likelihoods import Likelihood
from reslag_vae.models.checks import check_condition, check_flat, check_modules, check_shapes
from reslag_vae.models.condition import Condition
from reslag_vae.models.generative import GenerativeModel, Group
from reslag_vae.networks import Network


class FlatModel(GenerativeModel):
    """A model q(z|x), p(z) and p(x|z) with one latent vector z (Kingma & Welling 2014).

    Args:
        network: the encoder and the decoder.
        likelihood: p(x|z).
        posterior: q(z|x); None for a diagonal Gaussian, or for a point where the network gives one
            number for each latent dimension.
        prior: p(z); None for N(0, I).
        condition: what encoder and decoder are told of each image, its class or its attributes y;
            None for a model that is told nothing. Then the model is one of p(x|y), with q(z|x, y)
            and p(x|z, y): y joins the latent, and what the encoder's last layer takes.

    Raises:
        ValueError: the network gives another number of parameters than the posterior or the
            likelihood takes, has other latents than the prior, or another number of conditions.
    """

    def __init__(
        self,
        network: Network,
        likelihood: Likelihood,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
        condition: Condition | None = None,
    ) -> None:
        super().__init__()
        check_flat(network)
        self.network, self.likelihood = network, likelihood
        self.posterior = usual_posterior(network) if posterior is None else posterior
        self.prior = StandardNormal(network.latent_dim) if prior is None else prior
        self.image_shape = network.image_shape
        self.prior.bind(Level(self.posterior, network.latent_dim, network.inference, network.grid))
        self.level_dims, self.noise_dims = (network.latent_dim,), (self.prior.noise_dim,)
        self.deterministic = "point" in self.posterior.provides
        self.binary_levels = (0,) if "binary_posterior" in self.posterior.provides else ()
        self.condition = condition
        check_shapes(network, likelihood, self.posterior, self.prior)
        check_condition(network, self.posterior, condition)
        if condition is not None:
            parameters = network.latent_dim * network.parameters_per_latent
            # As if the numbers joined the inputs of the encoder's last layer, which is linear.
            self.shift = nn.Linear(condition.count, parameters, bias=False)
            nn.init.zeros_(self.shift.weight)
        if type(network) is Network:
            check_modules(network)

    def parts(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "posterior": self.posterior,
            "prior": self.prior,
            "likelihood": self.likelihood,
        }

    @property
    def architecture(self) -> str:
        return type(self.network).__name__

    def posterior_of(self, images: Tensor) -> PosteriorDensity:
        """Return q(z|x) of (B, C, H, W) images in [0, 1]."""
        # Only the networks run in autocast's precision: their outputs go back to that of the
        # images.
        features = self.network.inference(images).to(images.dtype)
        if self.condition is not None:
            features = features + self.shift(self.conditions_of(images)).to(images.dtype)
        density: PosteriorDensity = self.posterior(features)
        return density

    def told(self, conditions: Tensor) -> Self:
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__, conditions=conditions)
        return view

    def conditions_of(self, rows: Tensor) -> Tensor:
        """Return the (B, K) numbers that are told of B images.

        Args:
            rows: (B, ...) images, or latents of them, K of each image next to each other.

        Raises:
            ValueError: the model was told nothing, or of another number of images.
        """
        if self.conditions is None:
            kind = "class" if self.condition and self.condition.kind == "label" else "attributes"
            raise ValueError(
                f"the model is conditional: tell it the {kind} of each image by model.given(...)."
            )
        count, own = len(rows), self.conditions.to(rows)
        if count % len(own):
            raise ValueError(f"the model was told of {len(own)} image(s), and these are {count}.")
        return own if len(own) == count else own.repeat_interleave(count // len(own), 0)

    def infer(self, images: Tensor, noise: tuple[Tensor, ...] | None = None) -> Inferred:
        density = self.posterior_of(images)
        own = None if noise is None else noise[0]
        if own is not None and len(own) > len(images):
            density = density.repeat(len(own) // len(images))
        latents = density.rsample(own)
        kl, penalties = self.prior.kl(density), self.posterior.penalties(density)
        return Inferred((density,), (self.prior(),), (latents,), (kl,), penalties)

    def parameters_of(self, latents: tuple[Tensor, ...]) -> Tensor:
        (code,) = latents
        if self.condition is not None:
            code = torch.cat([code, self.conditions_of(code)], dim=1)
        # The link runs in the network's precision, before the cast.
        return self.likelihood.link(self.network.generative(code)).to(code.dtype)

    def nearest(self, code: Tensor) -> Tensor:
        if isinstance(self.posterior, CodePosterior):
            return self.posterior.nearest(code)
        return super().nearest(code)

    def from_noise(self, noise: tuple[Tensor, ...], temperature: float = 1.0) -> tuple[Tensor, ...]:
        return (self.prior.from_noise(noise[0], temperature),)

    def vectors_to_start_from(self, images: Tensor) -> list[tuple[Posterior, Tensor]]:
        if not isinstance(self.posterior, CodePosterior):
            return []
        features = self.network.inference(images).to(images.dtype)
        return [(self.posterior, self.posterior.at_positions(features).flatten(0, 1))]

    def groups(self) -> dict[Group, list[nn.Module]]:
        told = [] if self.condition is None else [self.shift]
        return {
            "inference": [self.network.inference, self.posterior, *told],
            "generative": [self.network.generative, self.likelihood, self.prior],
        }


def usual_posterior(network: Network) -> Posterior:
    """Return the posterior that a network has unless another one is chosen."""
    return PointPosterior() if network.parameters_per_latent == 1 else GaussianPosterior()

"""The flat model: one level of latents between an encoder and a decoder."""

from typing import Any

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
from reslag_vae.models.checks import check_modules, check_shapes
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

    Raises:
        ValueError: the network gives another number of parameters than the posterior or the
            likelihood takes, or has other latents than the prior.
    """

    def __init__(
        self,
        network: Network,
        likelihood: Likelihood,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
    ) -> None:
        super().__init__()
        self.network, self.likelihood = network, likelihood
        self.posterior = usual_posterior(network) if posterior is None else posterior
        self.prior = StandardNormal(network.latent_dim) if prior is None else prior
        self.image_shape = network.image_shape
        self.prior.bind(Level(self.posterior, network.latent_dim, network.inference, network.grid))
        self.level_dims, self.noise_dims = (network.latent_dim,), (self.prior.noise_dim,)
        self.deterministic = "point" in self.posterior.provides
        self.binary_levels = (0,) if "binary_posterior" in self.posterior.provides else ()
        check_shapes(network, likelihood, self.posterior, self.prior)
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
        density: PosteriorDensity = self.posterior(features)
        return density

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
        return {
            "inference": [self.network.inference, self.posterior],
            "generative": [self.network.generative, self.likelihood, self.prior],
        }


def usual_posterior(network: Network) -> Posterior:
    """Return the posterior that a network has unless another one is chosen."""
    return PointPosterior() if network.parameters_per_latent == 1 else GaussianPosterior()

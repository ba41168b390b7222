"""The model of two levels of codes, the bottom one given the top one."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from reslag_vae.latents import CodePosterior, Inferred, Level, Posterior, PosteriorDensity, Prior
from reslag_vae.latents.inferred import joined
from reslag_vae.latents.levels import LEVELS
from reslag_vae.likelihoods import Likelihood
from reslag_vae.models.checks import check_codes, check_levels, check_shapes
from reslag_vae.models.generative import GenerativeModel, Group
from reslag_vae.networks import TwoGridNetwork


class TwoCodesModel(GenerativeModel):
    """q(z|x), p(z) and p(x|z) of two grids of codes, top and bottom.

    As in VQ-VAE-2 (Razavi et al. 2019, https://arxiv.org/abs/1906.00446). The codes of the bottom
    are inferred from the image and the codes of the top, and their prior is given the top's
    latents; p(x|z) is given both. What codes cost has no gradient to the encoder.

    Args:
        network: encoder and decoder of both levels.
        likelihood: p(x|z).
        posterior: q(z|x) of the top.
        bottom_posterior: q(z|x) of the bottom, with codes of its own.
        prior: p(z) of the top.
        bottom_prior: p(z) of the bottom given the top.

    Raises:
        ValueError: the parts do not fit each other; the message names the option.
    """

    provides = frozenset({"two_levels"})

    def __init__(
        self,
        network: TwoGridNetwork,
        likelihood: Likelihood,
        posterior: CodePosterior,
        bottom_posterior: CodePosterior,
        prior: Prior,
        bottom_prior: Prior,
    ) -> None:
        super().__init__()
        check_levels(network, len(LEVELS))
        check_codes(network, (posterior, bottom_posterior), (prior, bottom_prior))
        self.network, self.likelihood = network, likelihood
        self.posterior, self.bottom_posterior = posterior, bottom_posterior
        self.prior, self.bottom_prior = prior, bottom_prior
        self.image_shape, self.level_dims = network.image_shape, network.level_dims
        (top_dim, bottom_dim), (top, bottom) = network.level_dims, network.grids
        above = (network.code_dim, *top)
        prior.bind(Level(posterior, top_dim, grid=top))
        bottom_prior.bind(Level(bottom_posterior, bottom_dim, grid=bottom, above=above))
        self.noise_dims = (prior.noise_dim, bottom_prior.noise_dim)
        self.deterministic = False
        check_shapes(network, likelihood, posterior, prior, len(LEVELS))

    def parts(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "posterior": self.posterior,
            "bottom_posterior": self.bottom_posterior,
            "prior": self.prior,
            "bottom_prior": self.bottom_prior,
            "likelihood": self.likelihood,
            "model": self,
        }

    @property
    def architecture(self) -> str:
        return type(self.network).__name__

    @property
    def notes(self) -> dict[str, str]:
        """Lines of the objective card, label -> text."""
        top, bottom = (f"{height} x {width}" for height, width in self.network.grids)
        lines = {"levels": f"codes at {top} positions, top, and at {bottom}, bottom, given the top"}
        parts = ((self.posterior, self.bottom_posterior), (self.prior, self.bottom_prior))
        for above, below in parts:
            lines |= notes_of(getattr(above, "notes", {}), getattr(below, "notes", {}))
        return lines

    def posteriors_of(self, images: Tensor) -> list[PosteriorDensity]:
        """Return q(z|x) of each level of (B, C, H, W) images in [0, 1]."""
        encoder = self.network.inference
        features = encoder.features(images)
        top = self.posterior(encoder.top(features).to(images.dtype))
        bottom = encoder.bottom(features, top.rsample()).to(images.dtype)
        return [top, self.bottom_posterior(bottom)]

    def infer(self, images: Tensor, noise: tuple[Tensor, ...] | None = None) -> Inferred:
        top, bottom = self.posteriors_of(images)
        if noise is not None and len(noise[0]) > len(images):
            count = len(noise[0]) // len(images)
            top, bottom = top.repeat(count), bottom.repeat(count)
        latents = (top.rsample(), bottom.rsample())
        context = latents[0].detach()
        return Inferred(
            posteriors=(top, bottom),
            priors=(self.prior(), self.bottom_prior(context)),
            latents=latents,
            kls=(self.prior.kl(top), self.bottom_prior.kl(bottom, context)),
            penalties=self.penalties(top, bottom),
        )

    def penalties(self, top: PosteriorDensity, bottom: PosteriorDensity) -> dict[str, Tensor]:
        """Return the (B,) costs of both levels' inference by name, each with its level's."""
        both = self.posterior.penalties(top), self.bottom_posterior.penalties(bottom)
        found: dict[str, Tensor] = {}
        for level, own in zip(LEVELS, both, strict=True):
            found |= {f"{name}_{level}": penalty for name, penalty in own.items()}
        return found

    def parameters_of(self, latents: tuple[Tensor, ...]) -> Tensor:
        code = joined(latents)
        return self.likelihood.link(self.network.generative(code)).to(code.dtype)

    def nearest(self, code: Tensor) -> Tensor:
        top, bottom = self.levels(code)
        return joined((self.posterior.nearest(top), self.bottom_posterior.nearest(bottom)))

    def from_noise(self, noise: tuple[Tensor, ...], temperature: float = 1.0) -> tuple[Tensor, ...]:
        top = self.prior.from_noise(noise[0], temperature)
        return (top, self.bottom_prior.from_noise(noise[1], temperature, top))

    def vectors_to_start_from(self, images: Tensor) -> Iterator[tuple[Posterior, Tensor]]:
        encoder = self.network.inference
        features = encoder.features(images)
        top = encoder.top(features).to(images.dtype)
        yield self.posterior, self.posterior.at_positions(top).flatten(0, 1)
        # The top has started by now, and the bottom follows its codes.
        bottom = encoder.bottom(features, self.posterior(top).rsample()).to(images.dtype)
        yield self.bottom_posterior, self.bottom_posterior.at_positions(bottom).flatten(0, 1)

    def groups(self) -> dict[Group, list[nn.Module]]:
        return {
            "inference": [self.network.inference, self.posterior, self.bottom_posterior],
            "generative": [
                self.network.generative,
                self.likelihood,
                self.prior,
                self.bottom_prior,
            ],
        }


def notes_of(top: dict[str, str], bottom: dict[str, str]) -> dict[str, str]:
    """Return lines of the objective card of two levels: one where they are the same."""
    lines = top | bottom
    for label in top.keys() & bottom.keys():
        if top[label] != bottom[label]:
            lines[label] = f"top: {top[label]}; bottom: {bottom[label]}"
    return lines

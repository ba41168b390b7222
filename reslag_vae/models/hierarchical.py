"""The model of a hierarchy of levels, each inferred and generated given those above it."""

import itertools
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from reslag_vae.latents import Inferred, Level, LevelDensity, LevelPosterior, Prior
from reslag_vae.likelihoods import Likelihood
from reslag_vae.models.checks import check_hierarchy, check_shapes
from reslag_vae.models.generative import GenerativeModel, Group
from reslag_vae.networks.hierarchy import BottomUp, HierarchicalNetwork


class Ascent(NamedTuple):
    """What the pass upwards has found for a level, of B · K rows.

    Attributes:
        features: (B · K, F, h, w) what is left to infer is inferred from.
        posterior: density of the latents of the level that are inferred by now; None of none.
        latents: a sample of it.
    """

    features: Tensor
    posterior: LevelDensity | None = None
    latents: Tensor | None = None


class InferredLevel(NamedTuple):
    """The latents of a level below the top: see `Inferred`, which holds all levels."""

    posterior: LevelDensity
    latents: Tensor
    kl: Tensor


class HierarchicalModel(GenerativeModel):
    """q(z|x), p(z) and p(x|z) of levels z_1 to z_L, top first, that are passed from the top down.

    A pass upwards makes features of the image. Then, level by level from the top, the latents so
    far lead to the features of the prior p(z_l|z_<l), and the posterior q(z_l|x, z_<l) is what
    `LevelPosterior.given` makes of that prior and of the image's features. The pass downwards is
    that of generation: what reaches the image are samples, and no feature of the image.

    Args:
        network: the passes upwards and downwards.
        likelihood: p(x|z).
        posterior: q of every level, with one set of parameters, if it has any.
        prior: p(z_1), of the top; those below are of the posterior's kind: Gaussians or binary
            units.

    Attributes:
        bidirectional: whether a part of each level is inferred on the way up.

    Raises:
        ValueError: the parts do not fit each other; the message names the option.
    """

    bidirectional: ClassVar[bool] = False

    def __init__(
        self,
        network: HierarchicalNetwork,
        likelihood: Likelihood,
        posterior: LevelPosterior,
        prior: Prior,
    ) -> None:
        super().__init__()
        check_hierarchy(network, posterior, self.bidirectional)
        self.network, self.likelihood = network, likelihood
        self.posterior, self.prior = posterior, prior
        self.image_shape, self.level_dims = network.image_shape, network.level_dims
        prior.bind(Level(posterior, self.level_dims[0], self.top_encoder()))
        self.noise_dims = (prior.noise_dim, *self.level_dims[1:])
        self.deterministic, self.top_down = False, len(self.level_dims) > 1
        if "binary_posterior" in posterior.provides:
            self.binary_levels = tuple(range(len(self.level_dims)))
        check_shapes(network, likelihood, posterior, prior, len(self.level_dims))

    def parts(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "posterior": self.posterior,
            "prior": self.prior,
            "likelihood": self.likelihood,
            "model": self,
        }

    @property
    def architecture(self) -> str:
        return type(self.network).__name__

    @property
    def notes(self) -> dict[str, str]:
        """Lines of the objective card, label -> text."""
        top, *below = self.level_dims
        lines = [f"{top} numbers under prior={self.prior.name}"]
        if below:
            runs = [(len(list(own)), width) for width, own in itertools.groupby(below)]
            texts = [f"{count} x {width}" if count > 1 else f"{width}" for count, width in runs]
            lines.append(f"{', then '.join(texts)} given these")
        return {"levels": ", then ".join(lines)}

    def infer(self, images: Tensor, noise: tuple[Tensor, ...] | None = None) -> Inferred:
        return self.pass_down(images, noise)[0]

    def infer_and_decode(
        self, images: Tensor, noise: tuple[Tensor, ...] | None = None
    ) -> tuple[Inferred, Tensor]:
        inferred, above = self.pass_down(images, noise)
        last = len(self.level_dims) - 1
        outputs = self.network.generative.join(last, above, inferred.latents)
        return inferred, self.likelihood.link(outputs).to(images.dtype)

    def pass_down(
        self, images: Tensor, noise: tuple[Tensor, ...] | None
    ) -> tuple[Inferred, Tensor | None]:
        """Return the latents of images, and the features of the latents above the last level.

        Args:
            images: (B, C, H, W) in [0, 1].
            noise: (B · K, d_l) of each level; drawn if None.

        Returns:
            what is inferred, and (B · K, F, h, w) features; None in place of these if there is one
            level.
        """
        encoder, decoder = self.network.inference, self.network.generative
        each = [None] * len(self.level_dims) if noise is None else list(noise)
        ascent = self.pass_up(images, noise)
        top = self.posterior(encoder.numbers(0, ascent[0].features, None).to(images.dtype))
        # The sample before the KL, as in a flat model: gradients are added in this order.
        latents, above = [top.rsample(each[0])], None
        posteriors, priors, kls = [top], [self.prior()], [self.prior.kl(top)]
        for level in range(1, len(self.level_dims)):
            above = decoder.join(level - 1, above, latents)
            prior = self.prior_given(level, above, images.dtype)
            found = self.infer_level(level, ascent[level], above, prior, each[level])
            posteriors.append(found.posterior)
            priors.append(prior)
            kls.append(found.kl)
            latents.append(found.latents)
        levels = tuple(posteriors), tuple(priors), tuple(latents), tuple(kls)
        return Inferred(*levels, {}, self.top_down, self.bidirectional), above

    def pass_up(self, images: Tensor, noise: tuple[Tensor, ...] | None) -> list[Ascent]:
        """Return what each level is inferred from, top first.

        Args:
            images: (B, C, H, W) in [0, 1].
            noise: as for `pass_down`.
        """
        return [Ascent(own) for own in self.features_of(images, noise)]

    def features_of(self, images: Tensor, noise: tuple[Tensor, ...] | None) -> list[Tensor]:
        """Return the features that the network makes of images, for K samples of each.

        Args:
            images: (B, C, H, W) in [0, 1].
            noise: as for `pass_down`.

        Returns:
            tensors of B · K rows.
        """
        features = self.network.inference.features(images)
        if noise is None or len(noise[0]) == len(images):
            return features
        # Samples of an image differ from its first latents on: what is before these runs once.
        count = len(noise[0]) // len(images)
        return [own.repeat_interleave(count, 0) for own in features]

    def infer_level(
        self,
        level: int,
        ascent: Ascent,
        above: Tensor,
        prior: LevelDensity,
        noise: Tensor | None,
    ) -> InferredLevel:
        """Return the latents of a level below the top, by q(z_l|x, z above).

        Args:
            level: number of the level, from 1.
            ascent: what the pass upwards has found for the level.
            above: (B · K, F, h, w) features of the latents above.
            prior: p(z_l|z above).
            noise: (B · K, d_l) standard normal numbers; drawn if None.
        """
        numbers = self.network.inference.numbers(level, ascent.features, above)
        posterior = self.posterior.given(numbers.to(prior.mean.dtype), prior)
        return InferredLevel(posterior, posterior.rsample(noise), posterior.kl(prior))

    def top_encoder(self) -> nn.Module | None:
        """Return a module from images to the top's numbers; None if they take more than images."""
        return TopEncoder(self.network.inference)

    def prior_given(self, level: int, above: Tensor, dtype: torch.dtype) -> LevelDensity:
        """Return p(z_l|z above) of a level below the top.

        Args:
            level: number of the level, from 1: the top is 0.
            above: (B, F, h, w) features of the latents above.
            dtype: precision of the density.
        """
        return self.posterior.prior_of(self.network.generative.numbers(level, above).to(dtype))

    def parameters_of(self, latents: tuple[Tensor, ...]) -> Tensor:
        outputs = self.network.generative(torch.cat(latents, dim=1))
        return self.likelihood.link(outputs).to(latents[0].dtype)

    def from_noise(self, noise: tuple[Tensor, ...], temperature: float = 1.0) -> tuple[Tensor, ...]:
        decoder = self.network.generative
        latents, above = [self.prior.from_noise(noise[0], temperature)], None
        for level in range(1, len(self.level_dims)):
            above = decoder.join(level - 1, above, latents)
            prior = self.prior_given(level, above, noise[level].dtype)
            latents.append(prior.from_noise(noise[level], temperature))
        return tuple(latents)

    def groups(self) -> dict[Group, list[nn.Module]]:
        return {
            "inference": [self.network.inference, self.posterior],
            "generative": [self.network.generative, self.likelihood, self.prior],
        }


class TopEncoder(nn.Module):
    """A module from (B, C, H, W) images to the (B, parameters) of the top level's posterior."""

    def __init__(self, encoder: BottomUp) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        """Return the (B, parameters) of (B, C, H, W) images in [0, 1]."""
        return self.encoder.numbers(0, self.encoder.features(images)[0], None)

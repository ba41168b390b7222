"""Binary units: a posterior over latents that are 0 or 1."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from reslag_vae.latents.base import LevelDensity, LevelPosterior, straight_through
from reslag_vae.options import require

TEMPERATURE = 0.5


class Bernoulli(NamedTuple):
    """The masses of independent binary units, one for each image.

    Attributes:
        logits: (B, d) logarithms of the odds of 1.
        temperature: temperature of the relaxation whose gradient a sample has.
    """

    logits: Tensor
    temperature: float = TEMPERATURE

    @property
    def has_density(self) -> bool:
        """True: a mass is the density over 0 and 1, and there is a KL."""
        return True

    @property
    def mean(self) -> Tensor:
        """The (B, d) probabilities of 1."""
        return self.logits.sigmoid()

    @property
    def variance(self) -> Tensor:
        """(B, d)."""
        return self.mean * (-self.logits).sigmoid()

    @property
    def log_variance(self) -> None:
        """None: it is no Gaussian."""
        return None

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Return a (B, d) sample of zeros and ones with the gradient of its binary Concrete.

        Maddison et al. 2017, https://arxiv.org/abs/1611.00712, and Jang et al. 2017,
        https://arxiv.org/abs/1611.01144, where this estimator is called straight-through.

        Args:
            noise: (B, d) standard normal numbers; drawn if None. Zeros give the likelier values.
        """
        noise = torch.randn_like(self.logits) if noise is None else noise
        shifted = self.logits + logistic(noise)
        relaxed = (shifted / self.temperature).sigmoid()
        return straight_through((shifted > 0).to(relaxed), relaxed)

    def from_noise(self, noise: Tensor, temperature: float) -> Tensor:
        """Return a (B, d) sample of zeros and ones.

        Args:
            noise: (B, d) standard normal numbers.
            temperature: what the logits are divided by; at 0 the likelier values are drawn.
        """
        return (self.logits + temperature * logistic(noise) > 0).to(self.logits)

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (B,) log-mass of (B, d) latents of 0 and 1, in nats."""
        return self.log_probs(latents).sum(-1)

    def log_probs(self, latents: Tensor) -> Tensor:
        """Return the (B, d) log-mass of each unit of (B, d) latents of 0 and 1, in nats."""
        return latents * self.logits - F.softplus(self.logits)

    def kl(self, prior: Self) -> Tensor:
        """Return the (B, d) KL(q || p) of each unit to that of other masses, in nats."""
        # Of a sum over both values, which is linear in the value.
        return self.log_probs(self.mean) - prior.log_probs(self.mean)

    def standard_kl(self) -> None:
        """Return None: N(0, I) is no prior of binary units."""
        return None

    def repeat(self, count: int) -> Self:
        """Return the masses of (B · count) images: each image's, `count` times in a row."""
        return self._replace(logits=self.logits.repeat_interleave(count, 0))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the masses of the units of all parts, which have one temperature."""
        return parts[0]._replace(logits=torch.cat([own.logits for own in parts], dim=1))

    def split(self, widths: Sequence[int]) -> list[Self]:
        """Return the masses of parts of the units, of widths that sum to d."""
        return [self._replace(logits=own) for own in torch.split(self.logits, list(widths), dim=1)]


def logistic(noise: Tensor) -> Tensor:
    """Return ln u - ln(1 - u) of u = Phi(noise): finite for every standard normal number."""
    numbers: Tensor = torch.special.log_ndtr(noise) - torch.special.log_ndtr(-noise)
    return numbers


class BernoulliPosterior(LevelPosterior):
    """A posterior of independent binary units, with a logit for each.

    Of a level below the top of a hierarchy it is the normalised product of what the image says and
    of the prior given the levels above, as that of a Ladder VAE is of Gaussians: logits add up.

    Args:
        temperature: temperature of the relaxation that gives samples their gradient: a low one has
            less bias and more variance.

    Raises:
        ValueError: the temperature is out of its range.
    """

    name = "bernoulli"
    provides = LevelPosterior.provides | {"binary_posterior"}
    requires = frozenset({"binary_prior"})
    parameters_per_latent = 1

    def __init__(self, temperature: float = TEMPERATURE) -> None:
        super().__init__()
        require("posterior.temperature", temperature)
        self.temperature = temperature

    def forward(self, features: Tensor) -> LevelDensity:
        return Bernoulli(features, self.temperature)

    def prior_of(self, numbers: Tensor) -> LevelDensity:
        return Bernoulli(numbers, self.temperature)

    def given(self, features: Tensor, prior: LevelDensity) -> LevelDensity:
        assert isinstance(prior, Bernoulli), "the priors of all levels are of binary units"
        return Bernoulli(features + prior.logits, self.temperature)

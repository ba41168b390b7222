"""The posterior of a Ladder VAE: the product of the bottom-up Gaussian and the prior."""

import torch
from torch import Tensor

from reslag_vae.latents.base import LevelDensity
from reslag_vae.latents.gaussian import DiagonalGaussian, GaussianPosterior, bounded

# Log-variance of the bottom-up Gaussian where the network gives 0. An untrained posterior is so at
# 0.02 nats for each dimension, near its prior, and the image still weighs a quarter in it.
WIDE = 1.0


class PrecisionWeightedPosterior(GaussianPosterior):
    """The posterior q(z_l|x, z above), proportional to N(mu_x, s_x²) · p(z_l|z above).

    Sønderby et al. 2016, https://arxiv.org/abs/1602.02282, Eq. 17 to 19. The numbers of the network
    are the mean and the log-variance of what the image alone says of a level; its precision and
    that of the prior add up, and weigh the means. At the top the image's Gaussian is the posterior.
    """

    name = "precision_weighted"
    requires = frozenset({"hierarchy"})

    def given(self, features: Tensor, prior: LevelDensity) -> LevelDensity:
        assert isinstance(prior, DiagonalGaussian), "the priors of all levels are Gaussians"
        mean, raw = features.chunk(2, dim=-1)
        return product(DiagonalGaussian(mean, bounded(raw + WIDE)), prior)


def product(first: DiagonalGaussian, second: DiagonalGaussian) -> DiagonalGaussian:
    """Return the normalised product of two diagonal Gaussians.

    Args:
        first: B densities over d dimensions.
        second: B more.
    """
    # The share of the second in the precision: no precision is held, which may be large.
    share = torch.sigmoid(first.log_variance - second.log_variance)
    mean = first.mean + share * (second.mean - first.mean)
    return DiagonalGaussian(mean, -torch.logaddexp(-first.log_variance, -second.log_variance))

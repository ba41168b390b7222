"""The prior that is a trained mixture of Gaussians."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from reslag_vae.latents.base import Density, Prior
from reslag_vae.latents.gaussian import bounded
from reslag_vae.latents.noise import categories
from reslag_vae.latents.products import product
from reslag_vae.options.kinds import whole

COMPONENTS = whole(1, 10_000)

# Numbers of latents and components together that are held at a time.
NUMBERS = 2**24


class Mixture(NamedTuple):
    """A mixture of K diagonal Gaussians.

    Attributes:
        log_weights: (K,) logarithms of the weights, which sum to 1.
        means: (K, d) means.
        log_variances: (K, d) natural logarithms of the variances.
    """

    log_weights: Tensor
    means: Tensor
    log_variances: Tensor

    @property
    def mean(self) -> Tensor:
        """The (d,) mean of the whole mixture."""
        return product(self.log_weights.exp(), self.means)

    @property
    def variance(self) -> Tensor:
        """(d,) of the whole mixture: within its components, and between their means."""
        spread = self.log_variances.exp() + (self.means - self.mean).square()
        return product(self.log_weights.exp(), spread)

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return the (B,) log-density of (B, d) latents, in nats.

        Memory is bounded by some latents at a time, but for what gradients need.
        """
        rows = max(1, NUMBERS // self.means.numel())
        return torch.cat([self._log_prob(part) for part in torch.split(latents, rows)])

    def _log_prob(self, latents: Tensor) -> Tensor:
        differences = latents[:, None] - self.means
        squares = differences.square() * (-self.log_variances).exp()
        constants = self.log_variances + math.log(2 * math.pi)
        components = -0.5 * (squares + constants).sum(-1)
        return (self.log_weights + components).logsumexp(-1)

    def from_noise(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Return (B, d) samples, each a function of its own row of noise.

        Args:
            noise: (B, 1 + d) standard normal numbers, the first of which pick the components.
            temperature: factor of the components' standard deviations.
        """
        uniform = torch.special.ndtr(noise[:, 0])
        chosen = categories(self.log_weights.exp(), uniform)
        spread = (self.log_variances[chosen] / 2).exp()
        return self.means[chosen] + temperature * spread * noise[:, 1:]


class MixturePrior(Prior):
    """The prior p(z) = sum_k w_k N(z; m_k, diag(s_k²)) with trained weights, means and variances.

    Dilokthanakul et al. 2016, https://arxiv.org/abs/1611.02648, use such a prior. Here the
    component is summed out, so that the density is exact. The prior starts at N(0, I), except that
    the means are spread a little, since equal components would stay equal. Its log-variances are
    bounded as those of posteriors are. It is trained by the KL to it: the loss must hold one.

    Args:
        latent_dim: d, the number of latent dimensions.
        components: K, the number of components.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "mixture"
    requires = frozenset({"rate"})

    def __init__(self, latent_dim: int, components: int = 10) -> None:
        super().__init__(latent_dim, noise_dim=1 + latent_dim)
        COMPONENTS.require("prior.components", components)
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(0.5 * torch.randn(components, latent_dim))
        self.log_variances = nn.Parameter(torch.zeros(components, latent_dim))

    @property
    def notes(self) -> dict[str, str]:
        return {
            "p(z)": f"mixture of {len(self.logits)} Gaussians, learned",
            "KL": "estimated by the one sample of each posterior, nats per image",
        }

    def forward(self, context: Tensor | None = None) -> Density:
        return self.mixture()

    def from_noise(
        self, noise: Tensor, temperature: float = 1.0, context: Tensor | None = None
    ) -> Tensor:
        return self.mixture().from_noise(noise, temperature)

    def mixture(self) -> Mixture:
        """Return the mixture of the current parameters."""
        return Mixture(self.logits.log_softmax(0), self.means, bounded(self.log_variances))

"""The prior that is a second variational autoencoder, over the latents of the first."""

import itertools
import math

import torch
from torch import Tensor, nn

from reslag_vae._runtime import collectives
from reslag_vae.latents.estimated import MOMENT_SAMPLES, ROWS, EstimatedPrior
from reslag_vae.latents.gaussian import DiagonalGaussian, bounded
from reslag_vae.latents.noise import balanced_normal_rows, normal_rows
from reslag_vae.latents.perceptron import Perceptron
from reslag_vae.options import require

# Samples of u for each latent in evaluation.
SAMPLES = 16

# Gamma of the untrained prior. From 1 training may stay where u says nothing of z.
GAMMA = 0.3

# The means of p(z|u) are within so many standard deviations of the latents.
REACH = 1000.0

# Standard deviations of latents below this one count as 1.
LEAST_SCALE = 1e-6

# A gigabyte in float32.
MOST_WEIGHTS = 1 << 28


class TwoStagePrior(EstimatedPrior):
    """The prior p(z) = E p(z|u) over u of N(0, I): a second VAE, whose data are latents.

    Dai & Wipf 2019, https://arxiv.org/abs/1903.05789: u has the dimension d of z, q(u|z) is a
    diagonal Gaussian, and p(z|u) is N(m(u), gamma² s²) with one trained gamma. As in the authors'
    code, the input of each network is also one of its last layer. Here s is the standard deviation
    of each dimension in the first minibatch that trains the prior, whose mean is subtracted, so
    that latents of any scale will do; before that they are 1 and 0.

    There is no closed form of the density: `log_prob` is a lower bound, so that whatever bounds
    log p(x) by it stays a bound. The prior is computed in the latents' own precision, also under
    autocast. It is trained by the KL to it: the loss must hold one.

    Args:
        latent_dim: d, the number of latent dimensions.
        hidden_features: widths of the hidden layers of each of the two networks.

    Raises:
        ValueError: an argument is out of its range, or there are too many weights.
    """

    name = "two_stage"
    requires = frozenset({"rate"})
    provides = frozenset({"bound"})
    noise: Tensor
    started: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(
        self, latent_dim: int, hidden_features: list[int] | tuple[int, ...] = (512, 512, 512)
    ) -> None:
        super().__init__(latent_dim, noise_dim=2 * latent_dim)
        require("prior.hidden_features", hidden_features)
        check_weights(latent_dim, hidden_features)
        self.inference = Perceptron(latent_dim, hidden_features, 2 * latent_dim)
        self.generative = Perceptron(latent_dim, hidden_features, latent_dim)
        self.log_gamma = nn.Parameter(torch.tensor(math.log(GAMMA)))
        self._start_near_standard_normal()
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))
        self.register_buffer("shift", torch.zeros(latent_dim))
        self.register_buffer("scale", torch.ones(latent_dim))
        with torch.device("cpu"):
            noise = normal_rows(SAMPLES, latent_dim, torch.Generator().manual_seed(0))
        self.register_buffer("noise", noise[:, None], persistent=False)

    @torch.no_grad()
    def _start_near_standard_normal(self) -> None:
        """Make m(u) nearly sqrt(1 - gamma²) u, and q(u|z) nearly the exact posterior of that."""
        identity = math.sqrt(1 - GAMMA**2) * torch.eye(self.latent_dim)
        self.generative.start_near(identity)
        self.inference.start_near(torch.cat([identity, torch.zeros_like(identity)]))
        self.inference.last.bias[self.latent_dim :] = 2 * math.log(GAMMA)

    @property
    def notes(self) -> dict[str, str]:
        return {
            "p(z)": f"second-stage VAE of {self.latent_dim} latents, learned; log p(z) is bounded "
            f"from below, by 1 sample in training and {SAMPLES} in evaluation",
            "KL": "estimated by the one sample of each posterior, nats per image; an upper bound",
        }

    @property
    def log_variance(self) -> Tensor:
        """The () logarithm of gamma², in units of the latents' variance."""
        return bounded(2 * self.log_gamma)

    def log_prob(self, latents: Tensor) -> Tensor:
        """Return (B,) lower bounds on log p(z) of (B, d) latents, in nats.

        In training it is the ELBO by one sample of u. PyTorch's generator draws its noise, for all
        processes what it draws for one; a compiled graph draws other numbers. In evaluation it is
        the importance-weighted bound (Burda et al. 2016, https://arxiv.org/abs/1509.00519, Eq. 8)
        by 16 samples, whose noise is the same for all latents and at every call. Over the noise the
        mean of the exponential is p(z), so that the mean of the bound is at most log p(z). A single
        noise is off by chance, for all latents alike, so that a mean over many images is as far
        off: of priors of 2, 8 and 32 dimensions, trained in 500 updates, the mean over 500 latents
        varied with the noise by a standard deviation of 0.04, 0.2 and 0.6 nats.
        """
        if self.training and torch.is_grad_enabled() and self.log_gamma.requires_grad:
            self._start(latents)
        with torch.autocast(latents.device.type, enabled=False):
            standard = (latents - self.shift) / self.scale
            parts = [self._bound(part) for part in torch.split(standard, ROWS)]
            return torch.cat(parts) - self.scale.log().sum()

    def _bound(self, standard: Tensor) -> Tensor:
        mean, raw = self.inference(standard).chunk(2, dim=-1)
        posterior = DiagonalGaussian(bounded(mean), bounded(raw))
        u = posterior.rsample(self._noise_of(standard))
        zeros = torch.zeros_like(u)
        likelihood = DiagonalGaussian(self.means_of(u), self.log_variance)
        log_ratios = DiagonalGaussian(zeros, zeros).log_prob(u) - posterior.log_prob(u)
        log_weights = likelihood.log_prob(standard) + log_ratios
        return log_weights.logsumexp(0) - math.log(len(log_weights))

    def _noise_of(self, standard: Tensor) -> Tensor:
        """Return the (K, B, d) or (K, 1, d) noise of K samples of u."""
        if not self.training:
            return self.noise
        count = len(standard) * collectives.count()
        rows = torch.randn(count, self.latent_dim, dtype=standard.dtype, device=standard.device)
        return collectives.own_part(rows)[None]

    def means_of(self, u: Tensor) -> Tensor:
        """Return the (..., d) means m(u) of p(z|u), standardised, of (..., d) second latents."""
        means: Tensor = REACH * torch.tanh(self.generative(u) / REACH)
        return means

    @torch.no_grad()
    def _start(self, latents: Tensor) -> None:
        """Standardise by the moments of these latents, unless others came before."""
        mean = collectives.mean(latents.mean(0))
        scale = collectives.mean((latents - mean).square().mean(0)).sqrt()
        scale = torch.where(scale < LEAST_SCALE, 1.0, scale)
        self.shift.copy_(torch.where(self.started, self.shift, mean))
        self.scale.copy_(torch.where(self.started, self.scale, scale))
        self.started.fill_(True)

    def samples_of(self, noise: Tensor) -> Tensor:
        u, rest = noise.chunk(2, dim=1)
        with torch.autocast(noise.device.type, enabled=False):
            standard = self.means_of(u) + (self.log_variance / 2).exp() * rest
            return self.shift + self.scale * standard

    @torch.no_grad()
    def _moments(self) -> tuple[Tensor, Tensor]:
        noise = balanced_normal_rows(MOMENT_SAMPLES, self.latent_dim).to(self.log_gamma)
        samples = self.from_noise(torch.cat([noise, torch.zeros_like(noise)], dim=1))
        variance, mean = torch.var_mean(samples, 0, correction=0)
        return mean, variance + self.scale.square() * self.log_variance.exp()


def check_weights(latent_dim: int, hidden_features: list[int] | tuple[int, ...]) -> None:
    """Refuse networks that need too much memory, before they are built.

    Raises:
        ValueError: the message names the options.
    """
    hidden = sum(
        inner * outer for inner, outer in itertools.pairwise([latent_dim, *hidden_features])
    )
    weights = 2 * hidden + 3 * latent_dim * (hidden_features[-1] + latent_dim)
    if weights > MOST_WEIGHTS:
        raise ValueError(
            f"prior.hidden_features={list(hidden_features)}, prior.latent_dim={latent_dim}: "
            f"networks of more than {MOST_WEIGHTS:,} weights; make them smaller."
        )

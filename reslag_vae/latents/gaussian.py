"""The posteriors of a latent code and what is measured on them. The only place a KL is written."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

LOG_VARIANCE_BOUND = 20.0


def normal_rows(count: int, width: int, generator: torch.Generator) -> Tensor:
    """(count, width) standard normal numbers on the CPU: rows do not depend on how many are drawn at a time."""
    # PyTorch fills normal numbers in blocks of 16.
    return torch.randn(count, 16 * math.ceil(width / 16), generator=generator)[:, :width]


class DiagonalGaussian(NamedTuple):
    """N(mean, diag(exp(log_variance))), one for each image.

    Attributes:
        mean: (B, d).
        log_variance: (B, d), natural logarithm.
    """

    mean: Tensor
    log_variance: Tensor

    @classmethod
    def from_parameters(cls, parameters: Tensor) -> "DiagonalGaussian":
        """From an encoder's (B, 2 d) output: means, then raw log-variances.

        The log-variance is bounded smoothly to (-20, 20), so that its exponential stays finite in
        float32 and its gradient never vanishes where a network works; near zero the map is the
        identity.
        """
        mean, raw = parameters.chunk(2, dim=-1)
        return cls(mean, LOG_VARIANCE_BOUND * torch.tanh(raw / LOG_VARIANCE_BOUND))

    def sample(self, noise: Tensor | None = None) -> Tensor:
        """(B, d) reparametrised sample: mean + std * noise, with fresh standard normal noise unless given."""
        noise = torch.randn_like(self.mean) if noise is None else noise
        return self.mean + (self.log_variance / 2).exp() * noise

    def log_prob(self, latents: Tensor) -> Tensor:
        """(B,) log density of (B, d) latents, in nats."""
        squares = (latents - self.mean).square() * (-self.log_variance).exp()
        return -0.5 * (squares + self.log_variance + math.log(2 * math.pi)).sum(-1)

    def kl(self) -> Tensor:
        """(B, d) KL(N(mean, var) || N(0, 1)) of each dimension in nats (Kingma & Welling 2014, appendix B)."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance)


class Point(NamedTuple):
    """All mass at one code: the encoder of a deterministic autoencoder. It has no density, hence no KL.

    Attributes:
        mean: (B, d).
    """

    mean: Tensor

    def sample(self, noise: Tensor | None = None) -> Tensor:
        """(B, d) the code itself."""
        return self.mean

    def kl(self) -> None:
        """None: the KL of a point mass to N(0, I) is infinite."""
        return None


Posterior = DiagonalGaussian | Point


def aggregate_log_prob(
    posterior: DiagonalGaussian, latents: Tensor, chunk: int = 1024, without_own: bool = False
) -> Tensor:
    """(M,) log q(z) of (M, d) latents under the even mixture of the N posteriors, in nats, in float64.

    The quadratic form is expanded into two matrix products; `chunk` latents at a time bound the
    memory.

    Args:
        posterior: the N components.
        latents: where the density is wanted.
        chunk: latents at a time.
        without_own: the i-th latent was drawn from the i-th posterior, which is left out of its
            mixture.
    """
    mean, log_variance = posterior.mean.double(), posterior.log_variance.double()
    precision = (-log_variance).exp()
    constant = -0.5 * (mean.square() * precision + log_variance + math.log(2 * math.pi)).sum(-1)
    linear, quadratic = (mean * precision).T, -0.5 * precision.T
    values = []
    for rows in torch.split(torch.arange(len(latents), device=latents.device), chunk):
        z = latents[rows].double()
        densities = z @ linear + z.square() @ quadratic + constant
        if without_own:
            densities[rows - rows[0], rows] = -math.inf
        values.append(densities.logsumexp(-1))
    return torch.cat(values) - math.log(len(mean) - without_own)


def mutual_information(posterior: DiagonalGaussian, latents: Tensor) -> Tensor:
    """() estimate of I(x; z) = E[log q(z|x) - log q(z)] in nats, over a reference set of N posteriors.

    `latents` is one (N, d) sample of each posterior. The estimate cannot exceed log N, its ceiling,
    because each latent's own posterior is part of the mixture (Hoffman & Johnson 2016; He et al.
    2019, appendix).
    """
    own = DiagonalGaussian(posterior.mean.double(), posterior.log_variance.double()).log_prob(
        latents.double()
    )
    return (own - aggregate_log_prob(posterior, latents)).mean()

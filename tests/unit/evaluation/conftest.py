"""A variational autoencoder whose every number has a closed form."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from reslag_vae.evaluation.adapters import EncoderDecoder

SHAPE = (1, 4, 4)


@dataclass
class LinearGaussian:
    """Probabilistic PCA: z ~ N(0, I), x ~ N(W z + b, s2 I) with orthogonal columns of W.

    Tipping & Bishop 1999.

    Attributes:
        weight: (16, d) of orthogonal columns.
        offset: (16,).
        sigma2: likelihood variance.
    """

    weight: Tensor
    offset: Tensor
    sigma2: float

    @property
    def signal(self) -> Tensor:
        """(d,) what each dimension adds to the posterior's precision, relative to the prior's."""
        return self.weight.square().sum(0) / self.sigma2

    def images(self, count: int) -> Tensor:
        """(count, 1, 4, 4) samples of the model: its spread is so small that they lie in [0, 1]."""
        latents = torch.randn(count, self.weight.shape[1], dtype=torch.float64)
        noise = torch.randn(count, 16, dtype=torch.float64) * math.sqrt(self.sigma2)
        return (latents @ self.weight.T + self.offset + noise).view(-1, *SHAPE)

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Exact means and log-variances of p(z|x)."""
        variance = 1 / (1 + self.signal)
        mean = (images.flatten(1) - self.offset) @ self.weight / self.sigma2 * variance
        return mean, variance.log().expand_as(mean)

    def decode(self, latents: Tensor) -> Tensor:
        return (latents @ self.weight.T + self.offset).view(-1, *SHAPE)

    def log_prob(self, images: Tensor) -> Tensor:
        """(N,) exact log p(x)."""
        covariance = self.weight @ self.weight.T + self.sigma2 * torch.eye(16, dtype=torch.float64)
        return torch.distributions.MultivariateNormal(self.offset, covariance).log_prob(
            images.flatten(1)
        )

    def information(self) -> float:
        """Exact I(x; z)."""
        return float(0.5 * (1 + self.signal).log().sum())

    def exact(self) -> EncoderDecoder:
        """With the exact posterior for an encoder."""
        return EncoderDecoder(self.posterior, self.decode)


@pytest.fixture
def linear() -> LinearGaussian:
    directions = torch.linalg.qr(torch.randn(16, 3, dtype=torch.float64)).Q
    return LinearGaussian(
        directions * torch.tensor([0.125, 0.075, 0.05]), torch.full((16,), 0.5).double(), 0.00125
    )


class Scaled(nn.Module):
    """A linear map with one parameter, so that it has a device and a mode."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, values: Tensor) -> Tensor:
        return values * self.factor

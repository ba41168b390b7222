"""The Gaussian likelihood, with a mean for each pixel and a variance that a rule gives."""

import math

import torch
from torch import Tensor

from reslag_vae.likelihoods.base import Distortion, Sigmoid
from reslag_vae.likelihoods.variance import SIGMA2_FLOOR, VarianceRule


class Gaussian(Sigmoid):
    """A Gaussian distribution N(x; mean, s2) of each pixel.

    In training the cost of an image is (1/2) times the sum over pixels of [ln s2 + (x - y)² / s2].
    The constant (D/2) ln 2·pi is left out, as in the thesis; `log_prob` includes it.

    Args:
        variance: the rule that gives s2.
    """

    formula = "(D/2) ln s2 + Rec / (2 s2)"

    def __init__(self, variance: VarianceRule) -> None:
        super().__init__()
        self.variance = variance
        self.name = variance.name
        self.provides = variance.provides

    @property
    def notes(self) -> dict[str, str]:
        return self.variance.notes

    def forward(self, images: Tensor, parameters: Tensor) -> Distortion:
        squares = (parameters - images).square()
        raw = self.variance(images, squares.detach())
        sigma2 = raw.clamp_min(SIGMA2_FLOOR)
        rec = squares.flatten(1).sum(1)
        floored = (raw.detach() < SIGMA2_FLOOR * (1 + 1e-4)).to(rec.dtype).mean()
        extras = {"sigma2": sigma2, "sigma2_floored": floored}
        return Distortion(gaussian_nll(squares, rec, sigma2), rec, extras)

    def log_prob(self, images: Tensor, parameters: Tensor) -> Tensor:
        squares = (images - parameters).square()
        sigma2 = self.sigma2.to(squares)
        return gaussian_log_prob(squares, sigma2)

    @property
    def sigma2(self) -> Tensor:
        """The variance at evaluation, broadcastable to (1, C, H, W)."""
        return self.variance.expected().detach().clamp_min(SIGMA2_FLOOR)

    def divergence(self, parameters: Tensor, others: Tensor) -> Tensor:
        squares = (parameters - others).square()
        return (squares / self.sigma2.to(squares)).flatten(1).sum(1) / 2

    def sample(self, parameters: Tensor, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(parameters.shape, generator=generator).to(parameters)
        return parameters + self.sigma2.to(parameters).sqrt() * noise

    def observe(self, extras: dict[str, Tensor]) -> None:
        self.variance.observe(extras["sigma2"])


def gaussian_nll(squares: Tensor, rec: Tensor, sigma2: Tensor) -> Tensor:
    """Return the (B,) sums over pixels of [ln s2 + (x - y)² / s2] / 2, in nats.

    Args:
        squares: (B, C, H, W) squared errors.
        rec: (B,) sums of the squared errors.
        sigma2: variance, (1|B, 1|C, 1|H, 1|W).
    """
    entries, dimensions = sigma2[0].numel(), squares[0].numel()
    scaled = rec / sigma2.flatten() if entries == 1 else (squares / sigma2).flatten(1).sum(1)
    return (sigma2.log().flatten(1).sum(1) * (dimensions / entries) + scaled) / 2


def gaussian_log_prob(squares: Tensor, sigma2: Tensor) -> Tensor:
    """Return the (B,) log-densities in nats, the 2·pi term included.

    Args:
        squares: (B, C, H, W) squared errors.
        sigma2: variance, (1|B, 1|C, 1|H, 1|W).
    """
    constant = squares[0].numel() * math.log(2 * math.pi) / 2
    return -gaussian_nll(squares, squares.flatten(1).sum(1), sigma2) - constant


def gaussian_elbo(rec: float, kl: float, sigma2: float, dimensions: int) -> float:
    """Return the ELBO in nats per image with one global variance, the common yardstick.

    The 2·pi term is included. The ELBO is linear in `rec` and `kl`, so that their means over images
    give the mean ELBO. It is minus infinity for a variance of zero, even if the reconstruction is
    perfect, because there is no density then.

    Args:
        rec: sum of squared errors.
        kl: KL in nats.
        sigma2: the variance, which is the mean squared error per pixel of the training split.
        dimensions: D, the number of numbers in an image.
    """
    if sigma2 <= 0:
        return -math.inf
    return -(dimensions * math.log(2 * math.pi * sigma2) + rec / sigma2) / 2 - kl

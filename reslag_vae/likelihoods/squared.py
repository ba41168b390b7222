"""Gaussian likelihoods of fixed variance whose constants are left out of the loss."""

from typing import ClassVar

import torch
from torch import Tensor

from reslag_vae.likelihoods.base import Distortion, Sigmoid, squared_error
from reslag_vae.likelihoods.gaussian import Gaussian
from reslag_vae.likelihoods.variance import FixedVariance


class Quadratic(Sigmoid):
    """The squared error divided by twice a variance, without a constant.

    Where the likelihood states no variance, the weight of the KL beside it says which one is meant:
    Rec + beta · KL has the optimum of an ELBO with s2 = beta / 2.

    Attributes:
        unit: the variance if the KL has the weight 1.
    """

    unit: ClassVar[float]

    def forward(self, images: Tensor, parameters: Tensor) -> Distortion:
        rec = squared_error(images, parameters)
        return Distortion(rec / (2 * self.unit), rec, {})

    @property
    def density(self) -> Gaussian:
        """The density whose logarithm the distortion is, except for a constant."""
        return Gaussian(FixedVariance(torch.tensor(self.unit)))

    @property
    def sigma2(self) -> Tensor:
        return self.density.sigma2

    def log_prob(self, images: Tensor, parameters: Tensor) -> Tensor:
        return self.density.log_prob(images, parameters)

    def divergence(self, parameters: Tensor, others: Tensor) -> Tensor:
        return self.density.divergence(parameters, others)

    def sample(self, parameters: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.density.sample(parameters, generator)


class SquaredError(Quadratic):
    """The sum of squared errors Rec, with which autoencoders and the beta-VAE are trained."""

    name = "squared_error"
    formula = "Rec"
    unit = 0.5

    def equivalent_sigma2(self, kl_weight: float | None) -> float | None:
        return None if not kl_weight else self.unit * kl_weight

    def evaluated(self, kl_weight: float | None) -> Gaussian | None:
        sigma2 = self.equivalent_sigma2(kl_weight)
        return None if sigma2 is None else Gaussian(FixedVariance(torch.tensor(sigma2)))


class UnitGaussian(Quadratic):
    """Half the sum of squared errors, Rec / 2: a Gaussian of variance 1.

    Images in [0, 1] vary far less than that, which makes the KL weigh about twenty times too much;
    see the rules for the variance.
    """

    name = "unit_gaussian"
    formula = "Rec / 2"
    unit = 1.0

    def equivalent_sigma2(self, kl_weight: float | None) -> float | None:
        return self.unit if kl_weight is None else self.unit * kl_weight

    def evaluated(self, kl_weight: float | None) -> Gaussian:
        # Its variance is stated, not implied by the weight of the KL.
        return self.density

"""The Gaussian's mathematics apart from its variance rules, and the common yardstick."""

import math

import pytest
import torch
from torch.distributions import Normal

from reslag_vae.likelihoods.base import squared_error
from reslag_vae.likelihoods.gaussian import gaussian_elbo

SHAPE = (2, 3, 4)


def test_squared_error_is_a_sum_over_pixels() -> None:
    assert squared_error(torch.zeros(2, 3, 4, 5), torch.full((2, 3, 4, 5), 0.5)).tolist() == [
        15.0,
        15.0,
    ]


@pytest.mark.parametrize("sigma2", [1e-3, 0.07, 2.0])
def test_gaussian_elbo_is_log_likelihood_minus_kl(sigma2: float) -> None:
    images, reconstruction = torch.rand(2, 5, *SHAPE, dtype=torch.float64)
    kl = 10 * torch.rand(5, dtype=torch.float64)
    expected = Normal(reconstruction, sigma2**0.5).log_prob(images).flatten(1).sum(1) - kl
    rec = squared_error(images, reconstruction)

    for i in range(5):
        assert gaussian_elbo(
            float(rec[i]), float(kl[i]), sigma2, math.prod(SHAPE)
        ) == pytest.approx(float(expected[i]))
    mean_elbo = gaussian_elbo(float(rec.mean()), float(kl.mean()), sigma2, math.prod(SHAPE))
    assert mean_elbo == pytest.approx(float(expected.mean()), rel=1e-12)


@pytest.mark.parametrize("sigma2", [0.0, -1.0])
def test_gaussian_elbo_without_a_variance(sigma2: float) -> None:
    assert gaussian_elbo(1.0, 1.0, sigma2, 10) == -math.inf

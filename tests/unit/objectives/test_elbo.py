import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from reslag_vae.latents import DiagonalGaussian
from reslag_vae.likelihoods import UnitGaussian
from reslag_vae.likelihoods.gaussian import gaussian_elbo
from reslag_vae.objectives import ELBO, Terms
from tests.inferred import infer

IMAGES, RECONSTRUCTION = torch.rand(
    2, 4, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
)
MEAN, LOG_VARIANCE = torch.randn(
    2, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
)


def apply() -> Terms:
    distortion = UnitGaussian()(IMAGES, RECONSTRUCTION)
    terms: Terms = ELBO()(distortion, infer(DiagonalGaussian(MEAN, LOG_VARIANCE)))
    return terms


def test_loss_is_half_the_squared_error_plus_the_kl() -> None:
    loss = apply().loss

    for i in range(4):
        pixels = zip(
            IMAGES[i].flatten().tolist(), RECONSTRUCTION[i].flatten().tolist(), strict=True
        )
        expected = sum((x - y) ** 2 for x, y in pixels) / 2
        for m, v in zip(MEAN[i].tolist(), LOG_VARIANCE[i].tolist(), strict=True):
            expected += (m**2 + math.exp(v) - 1 - v) / 2
        assert loss[i].item() == pytest.approx(expected, rel=1e-12)


def test_loss_is_the_negative_elbo_of_unit_variance_up_to_its_constant() -> None:
    terms = apply()
    kl = kl_divergence(
        Normal(MEAN, (LOG_VARIANCE / 2).exp()), Normal(torch.zeros_like(MEAN), 1.0)
    ).sum(1)
    log_likelihood = Normal(RECONSTRUCTION, 1.0).log_prob(IMAGES).flatten(1).sum(1)
    constant = 9 / 2 * math.log(2 * math.pi)

    torch.testing.assert_close(terms.loss, kl - log_likelihood - constant, rtol=1e-12, atol=0)
    sigma2 = UnitGaussian().equivalent_sigma2(ELBO().kl_weight(2))
    assert sigma2 == 1.0
    elbo = gaussian_elbo(terms.rec[0].item(), kl[0].item(), sigma2, 9)
    assert terms.loss[0].item() == pytest.approx(-elbo - constant, rel=1e-12)

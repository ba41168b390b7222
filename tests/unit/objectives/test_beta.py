import math

import pytest
import torch

from reslag_vae.latents import DiagonalGaussian
from reslag_vae.likelihoods import FixedVariance, Gaussian, SquaredError
from reslag_vae.objectives import ELBO, Beta
from tests.inferred import infer

IMAGES, RECONSTRUCTION = torch.rand(
    2, 4, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
)
MEAN, LOG_VARIANCE = torch.randn(
    2, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
)


@pytest.mark.parametrize("beta", [0.5, 4.0])
def test_loss_weighs_the_kl_averaged_over_dimensions(beta: float) -> None:
    distortion = SquaredError()(IMAGES, RECONSTRUCTION)
    loss = Beta(beta)(distortion, infer(DiagonalGaussian(MEAN, LOG_VARIANCE))).loss

    for i in range(4):
        pixels = zip(
            IMAGES[i].flatten().tolist(), RECONSTRUCTION[i].flatten().tolist(), strict=True
        )
        expected = sum((x - y) ** 2 for x, y in pixels)
        for m, v in zip(MEAN[i].tolist(), LOG_VARIANCE[i].tolist(), strict=True):
            expected += beta / 2 * (m**2 + math.exp(v) - 1 - v) / 2
        assert loss[i].item() == pytest.approx(expected, rel=1e-12)


def test_equivalent_variance_gives_the_same_gradient_direction() -> None:
    # Rec + beta_eff KL with beta_eff = 2 s2 is 2 s2 times the loss of a likelihood of fixed
    # variance s2.
    beta = Beta(4.0)
    sigma2 = SquaredError().equivalent_sigma2(beta.kl_weight(2))
    assert sigma2 is not None
    gradients = []
    pairs = [(beta, SquaredError()), (ELBO(), Gaussian(FixedVariance(sigma2)))]
    for objective, likelihood in pairs:
        leaves = [v.clone().requires_grad_() for v in (RECONSTRUCTION, MEAN, LOG_VARIANCE)]
        inferred = infer(DiagonalGaussian(*leaves[1:]), MEAN)
        objective(likelihood(IMAGES, leaves[0]), inferred).loss.sum().backward()
        gradients.append([leaf.grad for leaf in leaves])

    assert sigma2 == 1.0
    for ours, fixed in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, 2 * sigma2 * fixed, rtol=1e-12, atol=0)


@pytest.mark.parametrize("beta", [0.0, -1.0])
def test_beta_must_be_positive(beta: float) -> None:
    with pytest.raises(ValueError, match=rf"objective\.beta={beta}"):
        Beta(beta)

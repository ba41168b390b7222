"""Gaussian likelihoods whose constants are left out, and which variance they stand for."""

import math

import pytest
import torch
from torch.distributions import Normal

from reslag_vae.likelihoods import FixedVariance, Gaussian, SquaredError, UnitGaussian
from reslag_vae.likelihoods.squared import Quadratic

IMAGES, RECONSTRUCTION = torch.rand(
    2, 4, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
)
both = pytest.mark.parametrize(
    ("likelihood", "factor", "sigma2"), [(UnitGaussian(), 0.5, 1.0), (SquaredError(), 1.0, 0.5)]
)


@both
def test_an_image_costs_a_multiple_of_its_squared_error(
    likelihood: Quadratic, factor: float, sigma2: float
) -> None:
    distortion = likelihood(IMAGES, RECONSTRUCTION)
    for i in range(4):
        pixels = zip(
            IMAGES[i].flatten().tolist(), RECONSTRUCTION[i].flatten().tolist(), strict=True
        )
        rec = sum((x - y) ** 2 for x, y in pixels)
        assert distortion.rec[i].item() == pytest.approx(rec, rel=1e-12)
        assert distortion.nll[i].item() == pytest.approx(factor * rec, rel=1e-12)
    assert distortion.extras == {}


@both
def test_its_density_has_the_variance_that_a_kl_of_weight_one_implies(
    likelihood: Quadratic, factor: float, sigma2: float
) -> None:
    expected = Normal(RECONSTRUCTION, math.sqrt(sigma2)).log_prob(IMAGES).flatten(1).sum(1)

    assert float(likelihood.sigma2) == sigma2 == likelihood.equivalent_sigma2(1.0)
    torch.testing.assert_close(
        likelihood.log_prob(IMAGES, RECONSTRUCTION), expected, rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("kl_weight", [0.25, 3.0])
def test_evaluations_use_the_variance_that_the_weight_of_the_kl_implies(kl_weight: float) -> None:
    evaluated = SquaredError().evaluated(kl_weight)

    assert isinstance(evaluated, Gaussian)
    assert SquaredError().equivalent_sigma2(kl_weight) == 0.5 * kl_weight
    assert float(evaluated.sigma2) == pytest.approx(0.5 * kl_weight, rel=1e-7)


@pytest.mark.parametrize("kl_weight", [None, 0.25, 3.0])
def test_a_stated_variance_is_that_of_evaluations_whatever_the_weight_of_the_kl(
    kl_weight: float | None,
) -> None:
    """As the same density is, spelled as a Gaussian of fixed variance."""
    for likelihood in (UnitGaussian(), Gaussian(FixedVariance(1.0))):
        evaluated = likelihood.evaluated(kl_weight)

        assert isinstance(evaluated, Gaussian)
        assert float(evaluated.sigma2) == 1.0


@pytest.mark.parametrize("kl_weight", [None, 0.0])
def test_squared_error_without_a_weight_of_the_kl_implies_no_density(
    kl_weight: float | None,
) -> None:
    assert SquaredError().equivalent_sigma2(kl_weight) is None
    assert SquaredError().evaluated(kl_weight) is None


def test_a_unit_gaussian_without_a_weight_of_the_kl_keeps_its_variance() -> None:
    assert UnitGaussian().equivalent_sigma2(None) == 1.0

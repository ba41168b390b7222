"""The rate alone: what latents cost under the prior."""

import torch
from torch.distributions import Normal

from reslag_vae.latents import DiagonalGaussian, Point
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives import Beta, Objective, Rate, Terms
from tests.inferred import infer


def terms_of(
    objective: Objective, posterior: DiagonalGaussian | Point, **penalties: torch.Tensor
) -> Terms:
    distortion = Distortion(torch.rand(3), torch.rand(3), {"sigma2": torch.tensor(0.5)})
    terms: Terms = objective(distortion, infer(posterior, posterior.mean, penalties))
    return terms


def test_the_loss_is_the_kl_whatever_the_objective_before() -> None:
    posterior = DiagonalGaussian(torch.randn(3, 2), torch.randn(3, 2))
    for objective in (Rate(), Rate(Beta(4.0))):
        terms = terms_of(objective, posterior, commitment=torch.rand(3))
        expected = posterior.standard_kl().sum(1)
        torch.testing.assert_close(terms.loss, expected)
        assert torch.equal(terms.loss, terms.kl)
        assert set(terms.extras) == {"sigma2", "commitment"}


def test_of_a_point_it_is_the_density_of_the_prior() -> None:
    mean = torch.randn(3, 2)
    terms = terms_of(Rate(), Point(mean))
    torch.testing.assert_close(terms.loss, -Normal(0, 1).log_prob(mean).sum(1))
    assert terms.kl is None


def test_the_weight_in_evaluations_is_that_of_the_objective_before() -> None:
    assert Rate(Beta(4.0)).kl_weight(2) == Beta(4.0).kl_weight(2)
    assert Rate(Beta(4.0)).beta == 4
    assert Rate().kl_weight(2) is None

import pytest
import torch
from torch import Tensor

from reslag_vae.latents import DiagonalGaussian, Inferred, StandardNormal
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives import ELBO, LevelFreeBits, Terms
from reslag_vae.objectives.base import Objective

NLL = torch.tensor([3.0, 4.0], dtype=torch.float64)


def two_levels(top: Tensor, bottom: Tensor, exact: bool = True) -> Inferred:
    """Posteriors of variance 1 and given means, under N(0, I); each sample is its mean."""
    posteriors = [DiagonalGaussian(mean, torch.zeros_like(mean)) for mean in (top, bottom)]
    priors = [StandardNormal(mean.shape[1]).double() for mean in (top, bottom)]
    kls = [own.standard_kl() if exact else None for own in posteriors]
    return Inferred(
        tuple(posteriors), tuple(own() for own in priors), (top, bottom), tuple(kls), {}
    )


def terms(objective: Objective, inferred: Inferred) -> Terms:
    result: Terms = objective(Distortion(NLL, NLL, {}), inferred)
    return result


@pytest.fixture
def inferred() -> Inferred:
    """Levels of 1.25 and 2 nats in the mean, of which the first has a unit of 0.25 nats."""
    top = torch.tensor([[1.0, 2.0], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    bottom = torch.tensor([[2.0], [-2.0]], dtype=torch.float64, requires_grad=True)
    return two_levels(top, bottom)


def test_a_level_costs_at_least_the_free_nats_in_the_mean_over_images(inferred: Inferred) -> None:
    for nats, kl in ((0.5, 1.25 + 2), (1.5, 1.5 + 2), (3.0, 3 + 3)):
        loss = terms(LevelFreeBits(nats), inferred).loss.detach()
        assert float(loss.mean()) == pytest.approx(3.5 + kl)


def test_the_kl_that_is_logged_is_not_clamped(inferred: Inferred) -> None:
    kl = terms(LevelFreeBits(10.0), inferred).kl
    assert kl is not None
    assert kl.tolist() == [2.5 + 2, 0 + 2]


def test_a_free_level_has_no_gradient_and_another_its_own(inferred: Inferred) -> None:
    terms(LevelFreeBits(1.5), inferred).loss.mean().backward()
    top, bottom = inferred.latents
    assert top.grad is not None
    assert bottom.grad is not None
    assert torch.equal(top.grad, torch.zeros_like(top))
    torch.testing.assert_close(bottom.grad, bottom.detach() / 2)


def test_where_a_kl_is_estimated_the_levels_stay_apart() -> None:
    top, bottom = torch.ones(2, 2, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
    estimated = two_levels(top, bottom, exact=False)
    # At its mean m a posterior of variance 1 has the estimate m² / 2.
    assert [own.tolist() for own in estimated.level_rates()] == [[1.0, 1.0], [0.0, 0.0]]
    assert float(terms(LevelFreeBits(0.5), estimated).loss.mean()) == pytest.approx(3.5 + 1.5)


def test_evaluation_is_the_elbo(inferred: Inferred) -> None:
    evaluated: Objective = LevelFreeBits(5.0).eval()  # type: ignore[assignment]
    assert torch.equal(terms(evaluated, inferred).loss, terms(ELBO(), inferred).loss)


def test_negative_nats_are_refused() -> None:
    with pytest.raises(ValueError, match=r"objective\.nats=-1"):
        LevelFreeBits(-1.0)

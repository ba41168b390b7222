from typing import NamedTuple

import pytest
import torch

from reslag_vae.latents import DiagonalGaussian
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives import ELBO, FreeBits
from reslag_vae.objectives.base import Objective
from tests.inferred import infer

NLL = torch.tensor([3.0, 4.0], dtype=torch.float64)


def loss(objective: Objective, mean: torch.Tensor) -> torch.Tensor:
    posterior = DiagonalGaussian(mean, torch.zeros_like(mean))
    result: torch.Tensor = objective(Distortion(NLL, NLL, {}), infer(posterior, mean)).loss
    return result


def test_a_unit_costs_at_least_the_free_nats_in_the_mean_over_images() -> None:
    # KL of the units over images: 0.5 and 0 of the first, 2 and 2 of the second.
    mean = torch.tensor([[1.0, 2.0], [0.0, -2.0]], dtype=torch.float64)

    assert float(loss(FreeBits(0.1), mean).mean()) == pytest.approx(3.5 + 0.25 + 2)
    assert float(loss(FreeBits(0.5), mean).mean()) == pytest.approx(3.5 + 0.5 + 2)
    assert float(loss(FreeBits(3.0), mean).mean()) == pytest.approx(3.5 + 3 + 3)


def test_a_free_unit_has_no_gradient_and_another_its_own() -> None:
    mean = torch.tensor([[1.0, 2.0], [0.0, -2.0]], dtype=torch.float64, requires_grad=True)
    loss(FreeBits(0.5), mean).mean().backward()

    assert mean.grad is not None
    assert torch.equal(mean.grad[:, 0], torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(mean.grad[:, 1], mean.detach()[:, 1] / 2)


def test_where_the_kl_is_estimated_all_dimensions_share_the_free_nats() -> None:
    mean = torch.tensor([[1.0, 2.0], [0.0, -2.0]], dtype=torch.float64)
    inferred = infer(DiagonalGaussian(mean, torch.zeros_like(mean)), mean)._replace(kls=(None,))
    rate = inferred.rate()

    assert rate is not None
    result = FreeBits(10.0)(Distortion(NLL, NLL, {}), inferred)
    assert float(rate.mean()) < 10
    assert float(result.loss.mean()) == pytest.approx(3.5 + 10)


@pytest.mark.parametrize("training", [False, True])
def test_the_kl_that_is_told_is_that_of_the_loss_where_it_is_estimated(training: bool) -> None:
    mean = torch.tensor([[1.0, 2.0], [0.0, -2.0]], dtype=torch.float64)
    inferred = infer(DiagonalGaussian(mean, torch.zeros_like(mean)), mean)._replace(kls=(None,))

    class Estimate(NamedTuple):
        """A prior whose density is an estimate by new noise at each call."""

        calls: list[int]

        def log_prob(self, latents: torch.Tensor) -> torch.Tensor:
            self.calls.append(0)
            return -latents.square().sum(1) - len(self.calls)

    prior = Estimate([])
    objective = FreeBits(0.0).train(training)
    result = objective(Distortion(NLL, NLL, {}), inferred._replace(priors=(prior,)))
    assert len(prior.calls) == 1
    torch.testing.assert_close(result.loss.mean(), (NLL + result.kl).mean())


def test_evaluation_and_no_free_nats_are_the_elbo() -> None:
    mean = torch.tensor([[1.0, 2.0], [0.0, -2.0]], dtype=torch.float64)

    torch.testing.assert_close(loss(FreeBits(0.0), mean), loss(ELBO(), mean))
    assert torch.equal(loss(FreeBits(5.0).eval(), mean), loss(ELBO(), mean))  # type: ignore[arg-type]


def test_negative_nats_are_refused() -> None:
    with pytest.raises(ValueError, match=r"objective\.nats=-1"):
        FreeBits(-1.0)

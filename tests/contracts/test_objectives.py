"""What every objective promises."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from reslag_vae import objectives
from reslag_vae.latents import DiagonalGaussian, Inferred, Point, StandardNormal
from reslag_vae.likelihoods import Distortion
from reslag_vae.objectives import Objective, Terms
from tests.contracts.parts import LATENT_DIM, Case, cases, every
from tests.inferred import infer

every_objective = every(objectives, Objective)
# The rate alone is that of a second stage: tests/unit/objectives/test_rate.py
every_loss = every(objectives, Objective, without="rate_alone")
COUNT = 5


class Leaves(NamedTuple):
    """What the terms of a minibatch are a function of."""

    nll: Tensor
    mean: Tensor
    log_variance: Tensor


def draw() -> Leaves:
    generator = torch.Generator().manual_seed(1)
    shapes = [(COUNT,), (COUNT, LATENT_DIM), (COUNT, LATENT_DIM)]
    values = [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]
    nll, mean, log_variance = (value.requires_grad_() for value in values)
    return Leaves(nll, mean, log_variance)


def distortion_of(leaves: Leaves) -> Distortion:
    return Distortion(leaves.nll, leaves.nll.detach().square(), {"extra": torch.tensor(2.0)})


def inferred_of(leaves: Leaves, penalties: dict[str, Tensor] | None = None) -> Inferred:
    posterior = DiagonalGaussian(leaves.mean, leaves.log_variance)
    noise = torch.linspace(-1, 1, COUNT * LATENT_DIM, dtype=torch.float64)
    latents = posterior.rsample(noise.view(COUNT, LATENT_DIM))
    return infer(posterior, latents, penalties)


def apply(objective: Objective, distortion: Distortion, inferred: Inferred) -> Terms:
    prior = StandardNormal(LATENT_DIM).double()
    generator = torch.Generator().manual_seed(2)
    samples = prior.from_noise(torch.randn(COUNT, prior.noise_dim, generator=generator).double())
    terms: Terms = objective(distortion, inferred, samples if objective.draws_prior else None)
    return terms


@every_objective
@pytest.mark.parametrize("training", [True, False])
def test_terms_and_gradients_are_finite(case: Case, training: bool) -> None:
    objective, leaves = case.build().train(training), draw()
    distortion, inferred = distortion_of(leaves), inferred_of(leaves)
    terms = apply(objective, distortion, inferred)
    terms.loss.mean().backward()

    assert terms.loss.shape == (COUNT,)
    assert terms.distortion is distortion.nll
    assert terms.rec is distortion.rec
    assert terms.kl is not None
    torch.testing.assert_close(terms.kl, inferred.rate())
    assert set(terms.extras) >= {"extra"}
    for value in (terms.loss, *terms.extras.values()):
        assert value.isfinite().all()
    gradients = [leaf.grad for leaf in leaves]
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


@every_loss
def test_the_distortion_weighs_one(case: Case) -> None:
    leaves = draw()
    terms = apply(case.build(), distortion_of(leaves), inferred_of(leaves))
    (gradient,) = torch.autograd.grad(terms.loss.sum(), leaves.nll)

    assert torch.equal(gradient, torch.ones(COUNT, dtype=torch.float64))


def test_a_constant_weight_of_the_kl_is_that_of_its_gradient() -> None:
    stated = {}
    for case in cases(objectives, Objective):
        # The weight at evaluation: in training it may rise to that, or be none for some units.
        objective, leaves = case.build().eval(), draw()
        inferred = inferred_of(leaves)
        kl = torch.rand(COUNT, LATENT_DIM, dtype=torch.float64).requires_grad_()
        terms = apply(objective, distortion_of(leaves), inferred._replace(kls=(kl,)))
        weight = objective.kl_weight(LATENT_DIM)
        if weight is not None:
            stated[objective.name] = weight
            (gradient,) = torch.autograd.grad(terms.loss.sum(), kl)
            torch.testing.assert_close(gradient, torch.full_like(kl, weight), rtol=1e-12, atol=0)
    assert stated["elbo"] == 1


@every_objective
def test_a_point_is_refused_where_a_density_is_required(case: Case) -> None:
    objective, leaves = case.build(), draw()
    distortion, inferred = distortion_of(leaves), infer(Point(leaves.mean))

    if "density" in objective.requires:
        with pytest.raises(TypeError, match="point posterior"):
            apply(objective, distortion, inferred)
    else:
        terms = apply(objective, distortion, inferred)
        assert terms.kl is None
        assert terms.loss.isfinite().all()


@every_loss
def test_penalties_are_in_the_loss_of_training_and_logged_in_both(case: Case) -> None:
    objective, leaves = case.build(), draw()
    penalties = {name: torch.rand(COUNT, dtype=torch.float64) for name in ("one", "other")}
    without = apply(objective, distortion_of(leaves), inferred_of(leaves))
    terms = apply(objective, distortion_of(leaves), inferred_of(leaves, penalties))

    expected = without.loss + penalties["one"] + penalties["other"]
    torch.testing.assert_close(terms.loss, expected, rtol=1e-12, atol=1e-12)
    objective.eval()
    without = apply(objective, distortion_of(leaves), inferred_of(leaves))
    evaluated = apply(objective, distortion_of(leaves), inferred_of(leaves, penalties))
    assert torch.equal(evaluated.loss, without.loss)
    for own in (terms, evaluated):
        assert set(own.extras) == {*without.extras, "one", "other"}
        assert torch.equal(own.extras["one"], penalties["one"])


@every_loss
def test_the_formula_holds_the_distortion(case: Case) -> None:
    objective = case.build()

    assert "the distortion" in objective.formula("the distortion")
    assert all(isinstance(text, str) and text for line in objective.notes.items() for text in line)

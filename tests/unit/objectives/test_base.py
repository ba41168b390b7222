"""What holds for every objective."""

import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from reslag_vae.latents import DiagonalGaussian, Point
from reslag_vae.likelihoods import (
    DataVariance,
    FixedVariance,
    Gaussian,
    LearnedVariance,
    Likelihood,
    OptimalVariance,
    SquaredError,
    UnitGaussian,
)
from reslag_vae.likelihoods.variance import Granularity
from reslag_vae.objectives import ELBO, MMD, Beta, Capacity, Objective, Reconstruction, Terms
from tests.inferred import infer

SHAPE = (2, 3, 4)


class Pair(NamedTuple):
    """An objective and the likelihood that gives its distortion."""

    objective: Objective
    likelihood: Likelihood

    def train(self, training: bool = True) -> "Pair":
        self.objective.train(training)
        self.likelihood.train(training)
        return self


def optimal(granularity: Granularity) -> Pair:
    return Pair(ELBO(), Gaussian(OptimalVariance(SHAPE, granularity)))


def learned(granularity: Granularity) -> Pair:
    return Pair(ELBO(), Gaussian(LearnedVariance(SHAPE, granularity)))


MAKERS: dict[str, Callable[[], Pair]] = {
    "reconstruction": lambda: Pair(Reconstruction(), SquaredError()),
    "elbo": lambda: Pair(ELBO(), UnitGaussian()),
    "beta": lambda: Pair(Beta(3.0), SquaredError()),
    "capacity": lambda: Pair(Capacity(gamma=2.0, capacity=1.5, epochs=0), SquaredError()),
    "mmd": lambda: Pair(MMD(), SquaredError()),
    "mmd_with_kl": lambda: Pair(
        MMD(alpha=0.25, lambda_=20.0, estimator="unbiased"), SquaredError()
    ),
    "sigma_data": lambda: Pair(ELBO(), Gaussian(DataVariance(SHAPE))),
    "sigma_optimal_global": lambda: optimal("global"),
    "sigma_optimal_channel": lambda: optimal("channel"),
    "sigma_optimal_pixel": lambda: optimal("pixel"),
    "sigma_optimal_image": lambda: optimal("image"),
    "sigma_learned_global": lambda: learned("global"),
    "sigma_learned_channel": lambda: learned("channel"),
    "sigma_learned_pixel": lambda: learned("pixel"),
    "sigma_fixed": lambda: Pair(ELBO(), Gaussian(FixedVariance(0.05))),
}
every_objective = pytest.mark.parametrize("name", MAKERS)
TRUE_PER_IMAGE = [name for name in MAKERS if not name.startswith("mmd")]


def draw(count: int = 5, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Images, reconstruction, posterior mean and log-variance, noise, and samples of the prior."""
    shapes = [(count, *SHAPE)] * 2 + [(count, 3)] * 4
    values = [torch.randn(shape, dtype=dtype) for shape in shapes]
    return [values[0].sigmoid(), values[1].sigmoid(), *values[2:]]


def call(pair: Pair, values: list[Tensor]) -> Terms:
    images, reconstruction, mean, log_variance, noise, prior = values
    posterior = DiagonalGaussian(mean, log_variance)
    inferred = infer(posterior, posterior.rsample(noise))
    terms: Terms = pair.objective(pair.likelihood(images, reconstruction), inferred, prior)
    return terms


@every_objective
def test_terms_have_their_shapes(name: str) -> None:
    terms = call(MAKERS[name](), draw())

    assert terms.kl is not None
    assert terms.loss.shape == terms.distortion.shape == terms.rec.shape == terms.kl.shape == (5,)
    expected = {"mmd": {"mmd"}, "sigma": {"sigma2", "sigma2_floored"}}
    assert set(terms.extras) == expected.get(name.partition("_")[0], set())
    if "mmd" in terms.extras:
        assert terms.extras["mmd"].shape == ()
    if "sigma2" in terms.extras:
        sizes = zip(terms.extras["sigma2"].shape, (5, *SHAPE), strict=True)
        assert all(size in (1, whole) for size, whole in sizes)
        assert terms.extras["sigma2_floored"].shape == ()
        assert terms.extras["sigma2_floored"] == 0


@every_objective
def test_rec_and_kl_are_the_same_for_every_objective(name: str) -> None:
    values = draw()
    terms = call(MAKERS[name](), values)
    images, reconstruction, mean, log_variance, *_ = values

    expected = [
        sum((x - y) ** 2 for x, y in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True))
        for a, b in zip(images, reconstruction, strict=True)
    ]
    torch.testing.assert_close(
        terms.rec, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0
    )
    posterior, unit = (
        Normal(mean, (log_variance / 2).exp()),
        Normal(torch.zeros_like(mean), torch.ones_like(mean)),
    )
    torch.testing.assert_close(
        terms.kl, kl_divergence(posterior, unit).sum(1), rtol=1e-12, atol=1e-12
    )


@every_objective
def test_permuting_the_images_permutes_the_loss(name: str) -> None:
    pair, values, order = MAKERS[name](), draw(), torch.tensor([3, 0, 4, 1, 2])
    loss, permuted = call(pair, values).loss, call(pair, [v[order] for v in values]).loss

    torch.testing.assert_close(permuted, loss[order], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(permuted.mean(), loss.mean(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", TRUE_PER_IMAGE)
def test_at_evaluation_an_image_s_loss_does_not_depend_on_the_others(name: str) -> None:
    pair, values = MAKERS[name]().train(False), draw()
    single = torch.cat([call(pair, [v[i : i + 1] for v in values]).loss for i in range(5)])

    torch.testing.assert_close(single, call(pair, values).loss, rtol=1e-12, atol=1e-12)


# In training sigma_optimal holds its variance constant on purpose: see the envelope theorem in
# likelihoods/test_variance.py.
@pytest.mark.parametrize(
    ("name", "training"),
    [
        (name, training)
        for name in MAKERS
        for training in (True, False)
        if not (training and "optimal" in name)
    ],
)
def test_gradient_is_that_of_finite_differences(name: str, training: bool) -> None:
    pair = MAKERS[name]().train(training)
    pair.likelihood.double()
    images, *values = draw(count=2)
    leaves = [value.requires_grad_() for value in values]

    assert torch.autograd.gradcheck(lambda *v: call(pair, [images, *v]).loss, leaves)


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(
    count=st.integers(1, 4),
    contrast=st.sampled_from([0.0, 1e-6, 1e-3, 1.0]),
    grey=st.sampled_from([0.0, 0.5, 1.0]),
    perfect=st.booleans(),
    spread=st.sampled_from([0.0, 1.0, 1e3, 1e15]),
    log_variance=st.floats(-20, 20, width=32),
    training=st.booleans(),
)
@every_objective
def test_values_and_gradients_are_finite_in_any_order(
    name: str,
    count: int,
    contrast: float,
    grey: float,
    perfect: bool,
    spread: float,
    log_variance: float,
    training: bool,
) -> None:
    pair = MAKERS[name]().train(training)
    noise = torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(count))
    images = (grey + contrast * (noise - grey)).clamp(0, 1)
    reconstruction = images.clone() if perfect else 1 - noise
    mean = spread * torch.linspace(-1, 1, count * 3).view(count, 3)
    leaves = [reconstruction, mean, torch.full((count, 3), log_variance)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    values = [images, *leaves, torch.ones(count, 3), torch.zeros(count, 3)]
    terms = call(pair, values)
    terms.loss.mean().backward()

    order = torch.arange(count).roll(1)
    permuted = call(pair, [value[order] for value in values])
    torch.testing.assert_close(permuted.loss, terms.loss[order], rtol=1e-4, atol=1e-3)
    assert terms.kl is not None
    for term in (terms.loss, terms.distortion, terms.rec, terms.kl, *terms.extras.values()):
        assert term.isfinite().all()
    gradients = [leaf.grad for leaf in (*leaves, *pair.likelihood.parameters())]
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


@every_objective
def test_a_point_posterior_is_refused_where_the_loss_holds_a_kl(name: str) -> None:
    (objective, likelihood), values = MAKERS[name](), draw()
    distortion, prior = likelihood(values[0], values[1]), values[5]
    inferred = infer(Point(values[2]))

    if "density" in objective.requires:
        with pytest.raises(TypeError, match="point posterior"):
            objective(distortion, inferred, prior)
    else:
        assert objective(distortion, inferred, prior).kl is None
        assert objective(distortion, inferred, prior).loss.isfinite().all()


@every_objective
def test_the_card_is_text(name: str) -> None:
    objective, likelihood = MAKERS[name]()
    notes = objective.notes | likelihood.notes
    assert "Rec" in objective.formula(likelihood.formula)
    assert all(isinstance(text, str) and text for line in notes.items() for text in line)
    assert isinstance(objective, nn.Module)
    assert name.startswith(likelihood.name if name.startswith("sigma") else objective.name)


@pytest.mark.parametrize("name", [name for name in MAKERS if name.startswith("sigma")])
def test_loss_of_the_sigma_rules_is_the_negative_elbo_without_its_constant(name: str) -> None:
    values = draw()
    terms = call(MAKERS[name](), values)
    images, reconstruction, mean, log_variance, *_ = values
    posterior = Normal(mean, (log_variance / 2).exp())
    kl = kl_divergence(posterior, Normal(torch.zeros_like(mean), 1.0)).sum(1)
    scale = terms.extras["sigma2"].sqrt().double()
    log_likelihood = Normal(reconstruction, scale).log_prob(images).flatten(1).sum(1)

    expected = kl - log_likelihood - math.prod(SHAPE) / 2 * math.log(2 * math.pi)
    torch.testing.assert_close(terms.loss, expected, rtol=1e-6, atol=1e-6)

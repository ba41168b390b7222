"""What holds for every objective."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from reslag_vae.latents.gaussian import DiagonalGaussian, Point
from reslag_vae.objectives import (
    ELBO,
    MMD,
    Beta,
    Capacity,
    Objective,
    Reconstruction,
    SigmaData,
    SigmaFixed,
    SigmaLearned,
    SigmaOptimal,
)
from reslag_vae.objectives.base import bits_per_dim, gaussian_elbo, squared_error

SHAPE = (2, 3, 4)
MAKERS: dict[str, Callable[[], Objective]] = {
    "reconstruction": Reconstruction,
    "elbo": ELBO,
    "beta": lambda: Beta(3.0),
    "capacity": lambda: Capacity(gamma=2.0, capacity=1.5, epochs=0),
    "mmd": MMD,
    "mmd_with_kl": lambda: MMD(alpha=0.25, lambda_=20.0, estimator="unbiased"),
    "sigma_data": lambda: SigmaData(SHAPE),
    **{
        f"sigma_optimal_{g}": lambda g=g: SigmaOptimal(SHAPE, g)
        for g in ("global", "channel", "pixel", "image")
    },
    **{
        f"sigma_learned_{g}": lambda g=g: SigmaLearned(SHAPE, g)
        for g in ("global", "channel", "pixel")
    },
    "sigma_fixed": lambda: SigmaFixed(0.05),
}
every_objective = pytest.mark.parametrize("name", MAKERS)
TRUE_PER_IMAGE = [name for name in MAKERS if not name.startswith("mmd")]


def draw(count: int = 5, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Images, reconstruction, posterior mean and log-variance, noise, and samples of the prior."""
    shapes = [(count, *SHAPE)] * 2 + [(count, 3)] * 4
    values = [torch.randn(shape, dtype=dtype) for shape in shapes]
    return [values[0].sigmoid(), values[1].sigmoid(), *values[2:]]


def call(objective: Objective, values: list[Tensor]) -> tuple[Any, ...]:
    """All terms that are there, as a tuple: loss, rec, kl, mmd, sigma2, floored."""
    images, reconstruction, mean, log_variance, noise, prior = values
    posterior = DiagonalGaussian(mean, log_variance)
    terms = objective(images, reconstruction, posterior, posterior.sample(noise), prior)
    return tuple(terms)


@every_objective
def test_terms_have_their_shapes(name: str) -> None:
    loss, rec, kl, mmd, sigma2, floored = call(MAKERS[name](), draw())

    assert loss.shape == rec.shape == (5,)
    assert kl.shape == (5, 3)
    assert (mmd is not None) == name.startswith("mmd")
    assert mmd is None or mmd.shape == ()
    assert (sigma2 is not None) == name.startswith("sigma")
    if sigma2 is not None:
        assert all(
            size in (1, whole) for size, whole in zip(sigma2.shape, (5, *SHAPE), strict=True)
        )
        assert floored.shape == ()
        assert floored == 0


@every_objective
def test_rec_and_kl_are_the_same_for_every_objective(name: str) -> None:
    values = draw()
    _, rec, kl, *_ = call(MAKERS[name](), values)
    images, reconstruction, mean, log_variance, *_ = values

    expected = [
        sum((x - y) ** 2 for x, y in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True))
        for a, b in zip(images, reconstruction, strict=True)
    ]
    torch.testing.assert_close(rec, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=0)
    posterior, unit = (
        Normal(mean, (log_variance / 2).exp()),
        Normal(torch.zeros_like(mean), torch.ones_like(mean)),
    )
    torch.testing.assert_close(kl, kl_divergence(posterior, unit), rtol=1e-12, atol=1e-12)


@every_objective
def test_permuting_the_images_permutes_the_loss(name: str) -> None:
    objective, values, order = MAKERS[name](), draw(), torch.tensor([3, 0, 4, 1, 2])
    loss, permuted = call(objective, values)[0], call(objective, [v[order] for v in values])[0]

    torch.testing.assert_close(permuted, loss[order], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(permuted.mean(), loss.mean(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", TRUE_PER_IMAGE)
def test_at_evaluation_an_image_s_loss_does_not_depend_on_the_others(name: str) -> None:
    objective, values = MAKERS[name]().eval(), draw()
    single = torch.cat([call(objective, [v[i : i + 1] for v in values])[0] for i in range(5)])

    torch.testing.assert_close(single, call(objective, values)[0], rtol=1e-12, atol=1e-12)


# In training sigma_optimal holds its variance constant on purpose: see the envelope theorem in
# test_sigma.py.
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
    objective = MAKERS[name]().double().train(training)
    images, *values = draw(count=2)
    leaves = [value.requires_grad_() for value in values]

    assert torch.autograd.gradcheck(lambda *v: call(objective, [images, *v])[0], leaves)


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
    objective = MAKERS[name]().train(training)
    noise = torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(count))
    images = (grey + contrast * (noise - grey)).clamp(0, 1)
    reconstruction = images.clone() if perfect else 1 - noise
    mean = spread * torch.linspace(-1, 1, count * 3).view(count, 3)
    leaves = [reconstruction, mean, torch.full((count, 3), log_variance)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    terms = call(objective, [images, *leaves, torch.ones(count, 3), torch.zeros(count, 3)])
    terms[0].mean().backward()

    order = torch.arange(count).roll(1)
    permuted = call(
        objective,
        [value[order] for value in (images, *leaves, torch.ones(count, 3), torch.zeros(count, 3))],
    )
    torch.testing.assert_close(permuted[0], terms[0][order], rtol=1e-4, atol=1e-3)
    assert all(term.isfinite().all() for term in terms if term is not None)
    gradients = [leaf.grad for leaf in leaves] + [
        parameter.grad for parameter in objective.parameters()
    ]
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


@every_objective
def test_a_point_posterior_is_refused_where_the_loss_holds_a_kl(name: str) -> None:
    objective, values = MAKERS[name](), draw()
    arguments = (values[0], values[1], Point(values[2]), values[2], values[5])

    if objective.needs_density:
        with pytest.raises(TypeError, match="point posterior"):
            objective(*arguments)
    else:
        assert objective(*arguments).kl is None
        assert objective(*arguments).loss.isfinite().all()


@every_objective
def test_the_card_is_text(name: str) -> None:
    objective = MAKERS[name]()
    assert "Rec" in objective.formula
    assert all(isinstance(text, str) and text for line in objective.notes.items() for text in line)
    assert isinstance(objective, nn.Module)
    assert name.startswith(objective.name)


def test_squared_error_is_a_sum_over_pixels() -> None:
    assert squared_error(torch.zeros(2, 3, 4, 5), torch.full((2, 3, 4, 5), 0.5)).tolist() == [
        15.0,
        15.0,
    ]


@pytest.mark.parametrize("sigma2", [1e-3, 0.07, 2.0])
def test_gaussian_elbo_is_log_likelihood_minus_kl(sigma2: float) -> None:
    images, reconstruction, mean, log_variance, *_ = draw()
    kl = DiagonalGaussian(mean, log_variance).kl().sum(1)
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


@pytest.mark.parametrize(("levels", "bits"), [(1, 8.0), (2, 7.0), (128, 1.0), (256, 0.0)])
@pytest.mark.parametrize("dimensions", [1, 3072])
def test_bits_per_dim_of_a_uniform_density(levels: int, bits: float, dimensions: int) -> None:
    # Uniform on 1/levels of [0, 1]: density `levels`; it leaves 256 / levels of the grey values
    # open.
    assert bits_per_dim(dimensions * math.log(levels), dimensions) == pytest.approx(bits, abs=1e-12)

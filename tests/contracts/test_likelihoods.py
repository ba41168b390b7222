"""What every likelihood promises."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reslag_vae import likelihoods
from reslag_vae.likelihoods import Likelihood
from reslag_vae.likelihoods.base import squared_error
from tests.contracts.numbers import assert_mean, grid
from tests.contracts.parts import Case, every

every_likelihood = every(likelihoods, Likelihood)
Shape = tuple[int, int, int]

COUNT = 5


def shape_of(case: Case) -> Shape:
    """Of the images: levels are of one channel."""
    return (1, 3, 4) if case.named.get("pixels") == "levels" else (2, 3, 4)


def parameters_for(likelihood: Likelihood, shape: Shape, seed: int = 1) -> Tensor:
    """Parameters of `COUNT` images, as a network in float64 would give them."""
    generator = torch.Generator().manual_seed(seed)
    size = (COUNT, shape[0] * likelihood.parameters_per_channel, *shape[1:])
    return likelihood.link(torch.randn(size, dtype=torch.float64, generator=generator))


def images_for(likelihood: Likelihood, shape: Shape, seed: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(COUNT, *shape, dtype=torch.float64, generator=generator)
    if likelihood.binary:
        return images.round()
    return (255 * images).round() / 255 if likelihood.discrete else images


def trained(case: Case, shape: Shape | None = None) -> Likelihood:
    """A likelihood in float64 and in evaluation mode that has seen one minibatch."""
    shape = shape_of(case) if shape is None else shape
    likelihood: Likelihood = case.build(image_shape=shape).double()
    distortion = likelihood(images_for(likelihood, shape), parameters_for(likelihood, shape))
    likelihood.observe(distortion.extras)
    return likelihood.eval()


def expectation(
    likelihood: Likelihood, parameters: Tensor, function: Callable[[Tensor], Tensor]
) -> Tensor:
    """() sum or integral of a function over all images of one pixel, by their probability."""
    if likelihood.binary:
        values = torch.tensor([0.0, 1.0], dtype=torch.float64)
    elif likelihood.discrete:
        values = torch.arange(256, dtype=torch.float64) / 255
    else:
        values = grid(reach=30.0)
    images = values.view(-1, 1, 1, 1)
    log_prob = likelihood.log_prob(images, parameters.expand(len(images), -1, 1, 1))
    parts = log_prob.exp() * function(values)
    return parts.sum() if likelihood.discrete else torch.trapezoid(parts, values)


@every_likelihood
@torch.no_grad()
def test_the_probability_of_all_images_is_one(case: Case) -> None:
    likelihood = trained(case, (1, 1, 1))
    evaluated = [likelihood, likelihood.evaluated(0.5)]

    for density in (own for own in evaluated if own is not None):
        for parameters in parameters_for(likelihood, (1, 1, 1)).split(1):
            total = expectation(density, parameters, torch.ones_like)
            assert float(total) == pytest.approx(1, abs=1e-9)


@every_likelihood
@torch.no_grad()
def test_samples_fit_the_probability(case: Case) -> None:
    likelihood = trained(case, (1, 1, 1))
    parameters = parameters_for(likelihood, (1, 1, 1))[:1]
    many = parameters.expand(20_000, -1, 1, 1)
    samples = likelihood.sample(many, torch.Generator().manual_seed(3)).flatten()

    for function in (torch.sin, torch.square):
        assert_mean(function(samples), expectation(likelihood, parameters, function))


@every_likelihood
def test_a_probability_is_at_most_one_where_it_is_of_a_mass(case: Case) -> None:
    likelihood, shape = trained(case), shape_of(case)
    log_prob = likelihood.log_prob(images_for(likelihood, shape), parameters_for(likelihood, shape))

    assert log_prob.isfinite().all()
    assert not likelihood.binary or likelihood.discrete
    if likelihood.discrete:
        assert (log_prob <= 0).all()
        assert likelihood.sigma2 is None


@every_likelihood
def test_as_trained_an_image_costs_its_log_probability_but_for_a_constant(case: Case) -> None:
    likelihood, shape = trained(case), shape_of(case)
    constants = []
    for seed in range(3):
        images = images_for(likelihood, shape, seed)
        parameters = parameters_for(likelihood, shape, seed + 10)
        nll = likelihood(images, parameters).nll
        constants.append(nll + likelihood.log_prob(images, parameters))

    every_constant = torch.cat(constants)
    torch.testing.assert_close(
        every_constant, every_constant[:1].expand_as(every_constant), rtol=1e-9, atol=1e-9
    )


@every_likelihood
def test_samples_have_the_mean(case: Case) -> None:
    likelihood, shape = trained(case), shape_of(case)
    parameters = parameters_for(likelihood, shape)[:1]
    many = parameters.expand(4000, *parameters.shape[1:])
    samples, mean = likelihood.sample(many, torch.Generator().manual_seed(3)), likelihood.mean(many)

    assert samples.shape == (4000, *shape)
    assert samples.dtype == torch.float64
    assert (mean is None) == ("autoregressive" in likelihood.provides)
    if mean is not None:
        assert_mean(samples, mean[0])
    if likelihood.binary:
        assert set(samples.unique().tolist()) == {0.0, 1.0}


@every_likelihood
def test_samples_of_one_seed_repeat_and_leave_the_global_generator_alone(case: Case) -> None:
    likelihood = trained(case)
    parameters = parameters_for(likelihood, shape_of(case))
    before = torch.get_rng_state()
    first, again, other = (
        likelihood.sample(parameters, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@every_likelihood
def test_divergence_is_zero_at_equality_and_else_positive(case: Case) -> None:
    likelihood = trained(case)
    parameters, others = (parameters_for(likelihood, shape_of(case), seed) for seed in (4, 5))
    many = [own.repeat(400, 1, 1, 1) for own in (parameters, others)]
    means = likelihood.divergence(*many).unflatten(0, (400, COUNT)).mean(0)

    assert torch.equal(
        likelihood.divergence(parameters, parameters), torch.zeros(COUNT, dtype=torch.float64)
    )
    # An estimate's mean: a single one may be negative.
    assert (means > 0).all()
    torch.testing.assert_close(
        likelihood.divergence(parameters, others), likelihood.divergence(others, parameters)
    )


def log_ratios(likelihood: Likelihood, parameters: Tensor, others: Tensor, seed: int) -> Tensor:
    """(N,) log p(x|z) - log p(x|z') of samples of p(x|z), of the parameters of one image each."""
    many, other = (own.expand(2_000, *own.shape[1:]) for own in (parameters, others))
    images = likelihood.sample(many, torch.Generator().manual_seed(seed))
    return likelihood.log_prob(images, many) - likelihood.log_prob(images, other)


@every_likelihood
def test_divergence_is_the_expected_log_ratio_of_both_directions(case: Case) -> None:
    likelihood = trained(case)
    parameters, others = (parameters_for(likelihood, shape_of(case), seed)[:1] for seed in (4, 5))
    forth = log_ratios(likelihood, parameters, others, seed=6)
    back = log_ratios(likelihood, others, parameters, seed=7)
    many = [own.expand(1_000, *own.shape[1:]) for own in (parameters, others)]
    estimates = likelihood.divergence(*many)

    assert_mean((forth + back) / 2, estimates.mean(0), estimates)


@every_likelihood
def test_shapes(case: Case) -> None:
    likelihood, shape = trained(case), shape_of(case)
    images, parameters = images_for(likelihood, shape), parameters_for(likelihood, shape)
    channels = shape[0] * likelihood.parameters_per_channel
    mean, distortion = likelihood.mean(parameters), likelihood(images, parameters)

    assert parameters.shape == (COUNT, channels, *shape[1:])
    assert distortion.nll.shape == distortion.rec.shape == (COUNT,)
    assert likelihood.log_prob(images, parameters).shape == (COUNT,)
    if mean is not None:
        assert mean.shape == (COUNT, *shape)
        assert mean.min() >= 0
        assert mean.max() <= 1
        torch.testing.assert_close(distortion.rec, squared_error(images, mean), rtol=1e-12, atol=0)
    if likelihood.sigma2 is not None:
        assert likelihood.sigma2.expand(1, *shape).min() > 0


@every_likelihood
def test_gradients_reach_the_outputs_and_every_parameter(case: Case) -> None:
    shape = shape_of(case)
    likelihood = case.build(image_shape=shape).double()
    channels = shape[0] * likelihood.parameters_per_channel
    outputs = torch.randn(COUNT, channels, *shape[1:], dtype=torch.float64, requires_grad=True)
    likelihood(images_for(likelihood, shape), likelihood.link(outputs)).nll.sum().backward()

    assert outputs.grad is not None
    for leaf in (outputs, *likelihood.parameters()):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()
        assert (leaf.grad != 0).any()

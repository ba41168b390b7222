"""The Gaussian likelihood by each of its variance rules."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal

from reslag_vae.likelihoods import (
    DataVariance,
    FixedVariance,
    Gaussian,
    LearnedVariance,
    OptimalVariance,
    VarianceRule,
)
from reslag_vae.likelihoods.gaussian import gaussian_nll
from reslag_vae.likelihoods.variance import SIGMA2_FLOOR, Granularity, MovingVariance

MakeRule = Callable[[], MovingVariance]

SHAPE = (2, 3, 4)
GRANULARITIES: list[Granularity] = ["global", "channel", "pixel", "image"]
every_granularity = pytest.mark.parametrize("granularity", GRANULARITIES)
moving = pytest.mark.parametrize(
    "make_rule",
    [partial(DataVariance, SHAPE), *(partial(OptimalVariance, SHAPE, g) for g in GRANULARITIES)],
    ids=["data", *GRANULARITIES],
)


def fresh(make_rule: MakeRule) -> Gaussian:
    """The likelihood of a rule before it saw anything, in float64."""
    return Gaussian(make_rule()).double()


def batch(seed: int = 0, count: int = 5) -> tuple[Tensor, Tensor]:
    """Images and reconstructions whose errors differ between images and channels."""
    generator = torch.Generator().manual_seed(seed)
    images, noise = torch.rand(2, count, *SHAPE, dtype=torch.float64, generator=generator)
    scale = torch.linspace(0.1, 1, count * 2, dtype=torch.float64).view(count, 2, 1, 1)
    return images, images + scale * (noise - 0.5)


def test_the_weight_of_the_average_reaches_1_in_a_long_run() -> None:
    rule = DataVariance(SHAPE)
    rule.running.fill_(0.1 * 0.9998)
    rule.weight.fill_(0.9998)
    for _ in range(1000):
        rule.observe(torch.full((1, 1, 1, 1), 0.1))
    assert float(rule.weight) == pytest.approx(1 - 0.0002 * 0.9999**1000, rel=1e-12)
    assert float(rule.expected()) == pytest.approx(0.1, rel=1e-7)


def mean_nll(rule: VarianceRule, images: Tensor, reconstruction: Tensor) -> Tensor:
    nll: Tensor = Gaussian(rule)(images, reconstruction).nll
    return nll.mean()


def sigma2_of(likelihood: Gaussian, images: Tensor, reconstruction: Tensor) -> Tensor:
    sigma2: Tensor = likelihood(images, reconstruction).extras["sigma2"]
    return sigma2


def floored_of(rule: VarianceRule, images: Tensor, reconstruction: Tensor) -> float:
    return float(Gaussian(rule)(images, reconstruction).extras["sigma2_floored"])


def random_variance(granularity: Granularity, count: int = 5) -> Tensor:
    shape = {
        "global": (1, 1, 1, 1),
        "channel": (1, 2, 1, 1),
        "pixel": (1, *SHAPE),
        "image": (count, 1, 1, 1),
    }
    return 0.01 + torch.rand(
        shape[granularity], dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )


# Loss


@every_granularity
def test_gaussian_nll_is_that_of_torch_without_its_constant(granularity: Granularity) -> None:
    images, reconstruction = batch()
    sigma2, squares = random_variance(granularity), (images - reconstruction).square()
    log_prob = Normal(reconstruction, sigma2.sqrt()).log_prob(images).flatten(1).sum(1)
    expected = -log_prob - math.prod(SHAPE) / 2 * math.log(2 * math.pi)

    torch.testing.assert_close(
        gaussian_nll(squares, squares.flatten(1).sum(1), sigma2), expected, rtol=1e-12, atol=0
    )


@every_granularity
def test_gradcheck_of_gaussian_nll(granularity: Granularity) -> None:
    images, reconstruction = batch()
    leaves = (reconstruction.requires_grad_(), random_variance(granularity).requires_grad_())

    def loss(reconstruction: Tensor, sigma2: Tensor) -> Tensor:
        squares = (images - reconstruction).square()
        return gaussian_nll(squares, squares.flatten(1).sum(1), sigma2)

    assert torch.autograd.gradcheck(loss, leaves)


@every_granularity
def test_nll_is_a_scalar_loop(granularity: Granularity) -> None:
    images, reconstruction = batch()
    distortion = Gaussian(OptimalVariance(SHAPE, granularity))(images, reconstruction)
    sigma2 = distortion.extras["sigma2"].expand(5, *SHAPE)

    for i in range(5):
        numbers = (tensor[i].flatten().tolist() for tensor in (images, reconstruction, sigma2))
        expected, rec = 0.0, 0.0
        for x, y, s2 in zip(*numbers, strict=True):
            expected += (math.log(s2) + (x - y) ** 2 / s2) / 2
            rec += (x - y) ** 2
        assert distortion.nll[i].item() == pytest.approx(expected, rel=1e-10)
        assert distortion.rec[i].item() == pytest.approx(rec, rel=1e-10)


@pytest.mark.parametrize(
    "rule",
    [DataVariance(SHAPE), OptimalVariance(SHAPE), LearnedVariance(SHAPE), FixedVariance(0.07)],
    ids=lambda rule: rule.name,
)
def test_nll_is_the_negative_log_likelihood_without_its_constant(rule: VarianceRule) -> None:
    images, reconstruction = batch()
    distortion = Gaussian(rule)(images, reconstruction)
    scale = distortion.extras["sigma2"].sqrt().double()
    log_likelihood = Normal(reconstruction, scale).log_prob(images).flatten(1).sum(1)

    expected = -log_likelihood - math.prod(SHAPE) / 2 * math.log(2 * math.pi)
    torch.testing.assert_close(distortion.nll, expected, rtol=1e-6, atol=1e-6)


# The variance of a minibatch


def test_data_variance_is_the_population_variance_of_the_pixels() -> None:
    images, reconstruction = batch()
    likelihood = Gaussian(DataVariance(SHAPE))
    expected = np.mean((images.numpy() - images.numpy().mean()) ** 2)
    variance = sigma2_of(likelihood, images, reconstruction)

    assert variance.item() == pytest.approx(expected, rel=1e-12)
    assert torch.equal(variance, sigma2_of(likelihood, images, 1 - reconstruction))


def test_optimal_variance_is_the_mean_squared_error() -> None:
    images, reconstruction = batch()
    squares = (images.numpy() - reconstruction.numpy()) ** 2
    expected = {
        "global": np.array([[[[squares.sum() / squares.size]]]]),
        "channel": np.stack([squares[:, c].sum() / squares[:, c].size for c in range(2)])[
            None, :, None, None
        ],
        "pixel": (sum(squares[i] for i in range(5)) / 5)[None],
        "image": np.stack([squares[i].sum() / squares[i].size for i in range(5)])[
            :, None, None, None
        ],
    }
    for granularity in GRANULARITIES:
        likelihood = Gaussian(OptimalVariance(SHAPE, granularity))
        sigma2 = sigma2_of(likelihood, images, reconstruction).numpy()
        assert sigma2.shape == expected[granularity].shape
        np.testing.assert_allclose(sigma2, expected[granularity], rtol=1e-12)


@every_granularity
def test_envelope_theorem(granularity: Granularity) -> None:
    # The mean loss is stationary in s2 = MSE, so its gradient is the same with and without the path
    # through s2.
    images, start = batch()
    detached, through = start.clone().requires_grad_(), start.clone().requires_grad_()
    rule = OptimalVariance(SHAPE, granularity)
    distortion = Gaussian(rule)(images, detached)
    assert not distortion.extras["sigma2"].requires_grad
    distortion.nll.mean().backward()

    squares = (images - through).square()
    sigma2 = rule.average(squares)
    assert sigma2.requires_grad
    (Normal(through, sigma2.sqrt()).log_prob(images).flatten(1).sum(1).mean() * -1).backward()

    assert detached.grad is not None
    assert through.grad is not None
    torch.testing.assert_close(detached.grad, through.grad, rtol=1e-10, atol=1e-12)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(log_sigma2=st.floats(-12, 5), seed=st.integers(0, 10))
def test_no_other_global_variance_gives_a_lower_loss(log_sigma2: float, seed: int) -> None:
    images, reconstruction = batch(seed)
    optimal = mean_nll(OptimalVariance(SHAPE), images, reconstruction)
    other = mean_nll(FixedVariance(math.exp(log_sigma2)), images, reconstruction)

    assert optimal <= other + 1e-9


@every_granularity
def test_a_finer_variance_never_gives_a_higher_loss(granularity: Granularity) -> None:
    images, reconstruction = batch()
    coarse = mean_nll(OptimalVariance(SHAPE, "global"), images, reconstruction)
    fine = mean_nll(OptimalVariance(SHAPE, granularity), images, reconstruction)
    assert fine <= coarse + 1e-9


# The floor


@pytest.mark.parametrize("grey", [0.0, 0.3, 1.0])
def test_data_variance_of_a_constant_batch_is_the_floor(grey: float) -> None:
    images = torch.full((5, *SHAPE), grey)
    reconstruction = torch.rand(5, *SHAPE).requires_grad_()
    distortion = Gaussian(DataVariance(SHAPE))(images, reconstruction)
    distortion.nll.mean().backward()

    assert distortion.extras["sigma2"].item() == pytest.approx(SIGMA2_FLOOR)
    assert distortion.extras["sigma2_floored"] == 1
    assert distortion.nll.isfinite().all()
    assert reconstruction.grad is not None
    assert reconstruction.grad.isfinite().all()


@every_granularity
def test_optimal_variance_of_a_perfect_reconstruction_is_the_floor(
    granularity: Granularity,
) -> None:
    black = torch.zeros(5, *SHAPE)
    rule = OptimalVariance(SHAPE, granularity)
    sigma2 = sigma2_of(Gaussian(rule), black, black)

    torch.testing.assert_close(sigma2, torch.full_like(sigma2, SIGMA2_FLOOR))
    assert floored_of(rule, black, black) == 1


def test_floored_is_the_share_of_entries() -> None:
    images, reconstruction = batch()
    reconstruction[:, 0] = images[:, 0]
    assert floored_of(OptimalVariance(SHAPE, "channel"), images, reconstruction) == 0.5

    images, reconstruction = batch()
    reconstruction[1] = images[1]
    share = floored_of(OptimalVariance(SHAPE, "image"), images, reconstruction)
    assert share == pytest.approx(0.2)


def test_the_floor_is_the_variance_of_rounding_to_eight_bits() -> None:
    levels = torch.linspace(0, 255, 100_001, dtype=torch.float64)
    assert ((levels - levels.round()) / 255).var(unbiased=False).item() == pytest.approx(
        SIGMA2_FLOOR, rel=1e-3
    )


# The value at evaluation


@moving
def test_one_training_step_is_the_evaluation_value(make_rule: MakeRule) -> None:
    likelihood = fresh(make_rule)
    extras = likelihood(*batch()).extras
    likelihood.observe(extras)

    evaluated = sigma2_of(likelihood.eval(), *batch(1))
    expected = extras["sigma2"].mean(0, keepdim=True)
    torch.testing.assert_close(evaluated, expected, rtol=1e-12, atol=0)


@moving
@pytest.mark.parametrize("steps", [2, 7])
def test_several_steps_are_a_debiased_moving_average(make_rule: MakeRule, steps: int) -> None:
    likelihood, values = fresh(make_rule), []
    for seed in range(steps):
        extras = likelihood(*batch(seed)).extras
        likelihood.observe(extras)
        values.append(extras["sigma2"].mean(0, keepdim=True))
    decay = make_rule().decay
    weights = [(1 - decay) * decay ** (steps - 1 - i) / (1 - decay**steps) for i in range(steps)]
    expected = sum(weight * value for weight, value in zip(weights, values, strict=True))

    assert sum(weights) == pytest.approx(1)
    torch.testing.assert_close(
        sigma2_of(likelihood.eval(), *batch(99)), expected, rtol=1e-10, atol=0
    )


def test_without_decay_the_last_value_counts() -> None:
    likelihood = Gaussian(OptimalVariance(SHAPE, decay=0.0)).double()
    for seed in range(3):
        extras = likelihood(*batch(seed)).extras
        likelihood.observe(extras)
    evaluated = sigma2_of(likelihood.eval(), *batch(9))
    torch.testing.assert_close(evaluated, extras["sigma2"], rtol=1e-12, atol=0)


@moving
def test_evaluation_does_not_look_at_the_evaluated_images_and_changes_nothing(
    make_rule: MakeRule,
) -> None:
    likelihood = fresh(make_rule)
    likelihood.observe(likelihood(*batch()).extras)
    before = {name: value.clone() for name, value in likelihood.state_dict().items()}
    first = sigma2_of(likelihood.eval(), *batch(1))
    second = sigma2_of(likelihood.eval(), *batch(2))

    assert first.shape[0] == 1
    assert torch.equal(first, second)
    likelihood.train()(*batch(3))
    after = likelihood.state_dict()
    assert set(before) == {"variance.running", "variance.weight"}
    assert all(torch.equal(after[name], value) for name, value in before.items())


@moving
def test_evaluation_value_is_saved(make_rule: MakeRule) -> None:
    likelihood, other = fresh(make_rule), fresh(make_rule)
    likelihood.observe(likelihood(*batch()).extras)
    other.load_state_dict(likelihood.state_dict())

    assert torch.equal(likelihood.eval()(*batch(1)).nll, other.eval()(*batch(1)).nll)
    for each in (likelihood.train(), other.train()):
        each.observe(each(*batch(2)).extras)
    assert torch.equal(likelihood.eval()(*batch(1)).nll, other.eval()(*batch(1)).nll)


@moving
def test_before_training_the_variance_is_that_of_uniform_noise(make_rule: MakeRule) -> None:
    sigma2 = sigma2_of(fresh(make_rule).eval(), *batch())
    torch.testing.assert_close(sigma2, torch.full_like(sigma2, 1 / 12))


# Learned and fixed


@pytest.mark.parametrize("granularity", ["global", "channel", "pixel"])
def test_learned_variance_has_its_optimum_at_the_mean_squared_error(
    granularity: Granularity,
) -> None:
    images, reconstruction = batch()
    rule = LearnedVariance(SHAPE, granularity).double()
    likelihood = Gaussian(rule)
    likelihood(images, reconstruction).nll.mean().backward()
    assert rule.log_sigma2.grad is not None
    assert (rule.log_sigma2.grad != 0).all()
    assert [name for name, _ in likelihood.named_parameters()] == ["variance.log_sigma2"]

    optimal = Gaussian(OptimalVariance(SHAPE, granularity))
    mse = sigma2_of(optimal, images, reconstruction)
    rule.log_sigma2.data = mse.log()
    rule.log_sigma2.grad = None
    likelihood(images, reconstruction).nll.mean().backward()
    gradient = rule.log_sigma2.grad
    assert gradient is not None
    torch.testing.assert_close(gradient, torch.zeros_like(mse), rtol=0, atol=1e-12)


def test_learned_variance_starts_at_one_and_trains_towards_its_optimum() -> None:
    images, reconstruction = batch()
    likelihood = Gaussian(LearnedVariance(SHAPE)).double()
    assert sigma2_of(likelihood, images, reconstruction).item() == 1

    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        likelihood(images, reconstruction).nll.mean().backward()
        optimizer.step()
    expected = (images - reconstruction).square().mean().item()
    trained = sigma2_of(likelihood.eval(), images, reconstruction).item()
    assert trained == pytest.approx(expected, rel=1e-3)


def test_learned_variance_comes_back_from_below_the_floor() -> None:
    # A pixel that was always reconstructed perfectly, and then is not: its variance must be able to
    # grow again.
    images, reconstruction = batch()
    rule = LearnedVariance(SHAPE, "pixel").double()
    likelihood = Gaussian(rule)
    rule.log_sigma2.data.fill_(math.log(SIGMA2_FLOOR) - 0.1)
    below = likelihood(images, reconstruction).extras
    assert below["sigma2_floored"] == 1
    likelihood.observe(below)
    distortion = likelihood(images, reconstruction)
    distortion.nll.mean().backward()

    assert distortion.extras["sigma2_floored"] == 1, "at the floor it still binds"
    assert rule.log_sigma2.grad is not None
    assert (rule.log_sigma2.grad < 0).all()


def test_fixed_variance_stays() -> None:
    likelihood = Gaussian(FixedVariance(0.04))
    likelihood.observe(likelihood(*batch()).extras)

    for training in (True, False):
        assert sigma2_of(likelihood.train(training), *batch()).item() == 0.04
    assert not likelihood.state_dict()


@pytest.mark.parametrize("granularity", ["global", "channel", "pixel"])
@pytest.mark.parametrize("rule", [OptimalVariance, LearnedVariance])
def test_sigma2_of_a_likelihood_is_that_of_an_evaluation(
    rule: Any, granularity: Granularity
) -> None:
    likelihood = Gaussian(rule(SHAPE, granularity)).double()
    likelihood.observe(likelihood.train()(*batch()).extras)
    variance = likelihood.sigma2

    assert torch.equal(variance, sigma2_of(likelihood.eval(), *batch(1)))
    assert torch.equal(likelihood.train().sigma2, variance)
    assert not variance.requires_grad


def test_sigma2_of_a_likelihood_is_not_below_the_floor() -> None:
    likelihood = Gaussian(OptimalVariance(SHAPE))
    images, _ = batch()
    likelihood.observe(likelihood(images, images).extras)
    assert float(likelihood.sigma2) == pytest.approx(SIGMA2_FLOOR)
    assert float(Gaussian(FixedVariance(0.04)).sigma2) == 0.04


@pytest.mark.parametrize(
    ("rule", "arguments", "named"),
    [
        (OptimalVariance, {"granularity": "row"}, "granularity=row.*global, channel, pixel, image"),
        (OptimalVariance, {"decay": 1.0}, "decay=1.0"),
        (OptimalVariance, {"decay": -0.1}, "decay=-0.1"),
        (DataVariance, {"decay": 1.0}, "decay=1.0"),
        (LearnedVariance, {"granularity": "image"}, "granularity=image.*global, channel, pixel"),
    ],
)
def test_arguments_out_of_range_are_named(rule: Any, arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=rf"likelihood\.variance\.{named}"):
        rule(SHAPE, **arguments)


@pytest.mark.parametrize("sigma2", [0.0, -1.0, 1e-7])
def test_fixed_variance_below_the_floor_is_refused(sigma2: float) -> None:
    with pytest.raises(ValueError, match=r"likelihood\.variance\.sigma2="):
        FixedVariance(sigma2)

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reslag_vae.objectives.sigma import SIGMA2_FLOOR, Granularity, gaussian_nll
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from reslag_vae.latents.gaussian import DiagonalGaussian
from reslag_vae.objectives import (
    Objective,
    SigmaData,
    SigmaFixed,
    SigmaLearned,
    SigmaOptimal,
    Terms,
)

SHAPE = (2, 3, 4)
GRANULARITIES: list[Granularity] = ["global", "channel", "pixel", "image"]
every_granularity = pytest.mark.parametrize("granularity", GRANULARITIES)
moving = pytest.mark.parametrize(
    "objective",
    [SigmaData(SHAPE), *(SigmaOptimal(SHAPE, g) for g in GRANULARITIES)],
    ids=["data", *GRANULARITIES],
)


def fresh(objective: Objective) -> Objective:
    """The same rule before it saw anything, in float64."""
    if isinstance(objective, SigmaOptimal):
        return SigmaOptimal(SHAPE, objective.granularity, objective.decay).double()
    return SigmaData(SHAPE).double()


def batch(seed: int = 0, count: int = 5) -> tuple[Tensor, Tensor]:
    """Images and reconstructions whose errors differ between images and channels."""
    generator = torch.Generator().manual_seed(seed)
    images, noise = torch.rand(2, count, *SHAPE, dtype=torch.float64, generator=generator)
    scale = torch.linspace(0.1, 1, count * 2, dtype=torch.float64).view(count, 2, 1, 1)
    return images, images + scale * (noise - 0.5)


def posterior(count: int = 5) -> DiagonalGaussian:
    values = torch.randn(
        2, count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(9)
    )
    return DiagonalGaussian(*values)


def apply(objective: Objective, images: Tensor, reconstruction: Tensor) -> Terms:
    code = posterior(len(images))
    terms: Terms = objective(images, reconstruction, code, code.mean)
    return terms


def sigma2_of(objective: Objective, images: Tensor, reconstruction: Tensor) -> Tensor:
    sigma2 = apply(objective, images, reconstruction).sigma2
    assert sigma2 is not None
    return sigma2


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
def test_loss_is_a_scalar_loop(granularity: Granularity) -> None:
    images, reconstruction = batch()
    terms, code = apply(SigmaOptimal(SHAPE, granularity), images, reconstruction), posterior()
    assert terms.sigma2 is not None
    sigma2 = terms.sigma2.expand(5, *SHAPE)

    for i in range(5):
        expected = 0.0
        pixels = zip(
            *(t[i].flatten().tolist() for t in (images, reconstruction, sigma2)), strict=True
        )
        for x, y, s2 in pixels:
            expected += (math.log(s2) + (x - y) ** 2 / s2) / 2
        for m, v in zip(code.mean[i].tolist(), code.log_variance[i].tolist(), strict=True):
            expected += (m**2 + math.exp(v) - 1 - v) / 2
        assert terms.loss[i].item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    "objective",
    [SigmaData(SHAPE), SigmaOptimal(SHAPE), SigmaLearned(SHAPE), SigmaFixed(0.07)],
    ids=lambda o: o.name,
)
def test_loss_is_the_negative_elbo_without_its_constant(objective: Objective) -> None:
    images, reconstruction = batch()
    terms, code = apply(objective, images, reconstruction), posterior()
    assert terms.sigma2 is not None
    kl = kl_divergence(
        Normal(code.mean, (code.log_variance / 2).exp()), Normal(torch.zeros(5, 3).double(), 1.0)
    ).sum(1)
    log_likelihood = (
        Normal(reconstruction, terms.sigma2.sqrt().double()).log_prob(images).flatten(1).sum(1)
    )

    expected = kl - log_likelihood - math.prod(SHAPE) / 2 * math.log(2 * math.pi)
    torch.testing.assert_close(terms.loss, expected, rtol=1e-6, atol=1e-6)


# The variance of a minibatch


def test_sigma_data_is_the_population_variance_of_the_pixels() -> None:
    images, reconstruction = batch()
    expected = np.mean((images.numpy() - images.numpy().mean()) ** 2)

    assert sigma2_of(SigmaData(SHAPE), images, reconstruction).item() == pytest.approx(
        expected, rel=1e-12
    )
    assert torch.equal(
        *(sigma2_of(SigmaData(SHAPE), images, r) for r in (reconstruction, 1 - reconstruction))
    )


def test_sigma_optimal_is_the_mean_squared_error() -> None:
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
        sigma2 = sigma2_of(SigmaOptimal(SHAPE, granularity), images, reconstruction).numpy()
        assert sigma2.shape == expected[granularity].shape
        np.testing.assert_allclose(sigma2, expected[granularity], rtol=1e-12)


@every_granularity
def test_envelope_theorem(granularity: Granularity) -> None:
    # The mean loss is stationary in s2 = MSE, so its gradient is the same with and without the path
    # through s2.
    images, start = batch()
    detached, through = start.clone().requires_grad_(), start.clone().requires_grad_()
    objective = SigmaOptimal(SHAPE, granularity)
    terms = apply(objective, images, detached)
    assert terms.sigma2 is not None
    assert not terms.sigma2.requires_grad
    terms.loss.mean().backward()

    squares = (images - through).square()
    sigma2 = objective.average(squares)
    assert sigma2.requires_grad
    (Normal(through, sigma2.sqrt()).log_prob(images).flatten(1).sum(1).mean() * -1).backward()

    assert detached.grad is not None
    assert through.grad is not None
    torch.testing.assert_close(detached.grad, through.grad, rtol=1e-10, atol=1e-12)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(log_sigma2=st.floats(-12, 5), seed=st.integers(0, 10))
def test_no_other_global_variance_gives_a_lower_loss(log_sigma2: float, seed: int) -> None:
    images, reconstruction = batch(seed)
    optimal = apply(SigmaOptimal(SHAPE), images, reconstruction).loss.mean()
    other = apply(SigmaFixed(math.exp(log_sigma2)), images, reconstruction).loss.mean()

    assert optimal <= other + 1e-9


@every_granularity
def test_a_finer_variance_never_gives_a_higher_loss(granularity: Granularity) -> None:
    images, reconstruction = batch()
    coarse, fine = (
        apply(SigmaOptimal(SHAPE, g), images, reconstruction).loss.mean()
        for g in ("global", granularity)
    )
    assert fine <= coarse + 1e-9


# The floor


@pytest.mark.parametrize("grey", [0.0, 0.3, 1.0])
def test_sigma_data_of_a_constant_batch_is_the_floor(grey: float) -> None:
    images = torch.full((5, *SHAPE), grey)
    reconstruction = torch.rand(5, *SHAPE).requires_grad_()
    terms = apply(SigmaData(SHAPE), images, reconstruction)
    terms.loss.mean().backward()

    assert terms.sigma2 is not None
    assert terms.sigma2.item() == pytest.approx(SIGMA2_FLOOR)
    assert terms.floored == 1
    assert terms.loss.isfinite().all()
    assert reconstruction.grad is not None
    assert reconstruction.grad.isfinite().all()


@every_granularity
def test_sigma_optimal_of_a_perfect_reconstruction_is_the_floor(granularity: Granularity) -> None:
    black = torch.zeros(5, *SHAPE)
    terms = apply(SigmaOptimal(SHAPE, granularity), black, black)

    assert terms.sigma2 is not None
    torch.testing.assert_close(terms.sigma2, torch.full_like(terms.sigma2, SIGMA2_FLOOR))
    assert terms.floored == 1


def test_floored_is_the_share_of_entries() -> None:
    images, reconstruction = batch()
    reconstruction[:, 0] = images[:, 0]
    assert apply(SigmaOptimal(SHAPE, "channel"), images, reconstruction).floored == 0.5

    images, reconstruction = batch()
    reconstruction[1] = images[1]
    assert apply(SigmaOptimal(SHAPE, "image"), images, reconstruction).floored == pytest.approx(0.2)


def test_the_floor_is_the_variance_of_rounding_to_eight_bits() -> None:
    levels = torch.linspace(0, 255, 100_001, dtype=torch.float64)
    assert ((levels - levels.round()) / 255).var(unbiased=False).item() == pytest.approx(
        SIGMA2_FLOOR, rel=1e-3
    )


# The value at evaluation


@moving
def test_one_training_step_is_the_evaluation_value(objective: Objective) -> None:
    objective = fresh(objective)
    terms = apply(objective, *batch())
    objective.observe(terms)
    assert terms.sigma2 is not None

    evaluated = sigma2_of(objective.eval(), *batch(1))
    torch.testing.assert_close(evaluated, terms.sigma2.mean(0, keepdim=True), rtol=1e-12, atol=0)


@moving
@pytest.mark.parametrize("steps", [2, 7])
def test_several_steps_are_a_debiased_moving_average(objective: Objective, steps: int) -> None:
    objective, values = fresh(objective), []
    for seed in range(steps):
        terms = apply(objective, *batch(seed))
        objective.observe(terms)
        assert terms.sigma2 is not None
        values.append(terms.sigma2.mean(0, keepdim=True))
    assert isinstance(objective, SigmaData | SigmaOptimal)
    decay = objective.decay
    weights = [(1 - decay) * decay ** (steps - 1 - i) / (1 - decay**steps) for i in range(steps)]
    expected = sum(weight * value for weight, value in zip(weights, values, strict=True))

    assert sum(weights) == pytest.approx(1)
    torch.testing.assert_close(
        sigma2_of(objective.eval(), *batch(99)), expected, rtol=1e-10, atol=0
    )


def test_without_decay_the_last_value_counts() -> None:
    objective = SigmaOptimal(SHAPE, decay=0.0).double()
    for seed in range(3):
        terms = apply(objective, *batch(seed))
        objective.observe(terms)
    assert terms.sigma2 is not None
    torch.testing.assert_close(
        sigma2_of(objective.eval(), *batch(9)), terms.sigma2, rtol=1e-12, atol=0
    )


@moving
def test_evaluation_does_not_look_at_the_evaluated_images_and_changes_nothing(
    objective: Objective,
) -> None:
    objective = fresh(objective)
    objective.observe(apply(objective, *batch()))
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    first, second = (sigma2_of(objective.eval(), *batch(seed)) for seed in (1, 2))

    assert first.shape[0] == 1
    assert torch.equal(first, second)
    apply(objective.train(), *batch(3))
    assert set(before) == {"running", "weight"}
    assert all(torch.equal(objective.state_dict()[name], value) for name, value in before.items())


@moving
def test_evaluation_value_is_saved(objective: Objective) -> None:
    objective, other = fresh(objective), fresh(objective)
    objective.observe(apply(objective, *batch()))
    other.load_state_dict(objective.state_dict())

    assert torch.equal(*(apply(o.eval(), *batch(1)).loss for o in (objective, other)))
    objective.observe(apply(objective.train(), *batch(2)))
    other.observe(apply(other.train(), *batch(2)))
    assert torch.equal(*(apply(o.eval(), *batch(1)).loss for o in (objective, other)))


@moving
def test_before_training_the_variance_is_that_of_uniform_noise(objective: Objective) -> None:
    sigma2 = sigma2_of(fresh(objective).eval(), *batch())
    torch.testing.assert_close(sigma2, torch.full_like(sigma2, 1 / 12))


# Learned and fixed


@pytest.mark.parametrize("granularity", ["global", "channel", "pixel"])
def test_learned_variance_has_its_optimum_at_the_mean_squared_error(
    granularity: Granularity,
) -> None:
    images, reconstruction = batch()
    learned = SigmaLearned(SHAPE, granularity).double()
    apply(learned, images, reconstruction).loss.mean().backward()
    assert learned.log_sigma2.grad is not None
    assert (learned.log_sigma2.grad != 0).all()
    assert [name for name, _ in learned.named_parameters()] == ["log_sigma2"]

    mse = sigma2_of(SigmaOptimal(SHAPE, granularity), images, reconstruction)
    learned.log_sigma2.data = mse.log()
    learned.log_sigma2.grad = None
    apply(learned, images, reconstruction).loss.mean().backward()
    gradient = learned.log_sigma2.grad
    assert gradient is not None
    torch.testing.assert_close(gradient, torch.zeros_like(mse), rtol=0, atol=1e-12)


def test_learned_variance_starts_at_one_and_trains_towards_its_optimum() -> None:
    images, reconstruction = batch()
    learned = SigmaLearned(SHAPE).double()
    assert sigma2_of(learned, images, reconstruction).item() == 1

    optimizer = torch.optim.Adam(learned.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        apply(learned, images, reconstruction).loss.mean().backward()
        optimizer.step()
    expected = (images - reconstruction).square().mean().item()
    assert sigma2_of(learned.eval(), images, reconstruction).item() == pytest.approx(
        expected, rel=1e-3
    )


def test_learned_variance_comes_back_from_below_the_floor() -> None:
    # A pixel that was always reconstructed perfectly, and then is not: its variance must be able to
    # grow again.
    images, reconstruction = batch()
    learned = SigmaLearned(SHAPE, "pixel").double()
    learned.log_sigma2.data.fill_(math.log(SIGMA2_FLOOR) - 0.1)
    assert apply(learned, images, reconstruction).floored == 1
    learned.observe(apply(learned, images, reconstruction))
    terms = apply(learned, images, reconstruction)
    terms.loss.mean().backward()

    assert terms.floored == 1, "at the floor it still binds"
    assert learned.log_sigma2.grad is not None
    assert (learned.log_sigma2.grad < 0).all()


def test_fixed_variance_stays() -> None:
    objective = SigmaFixed(0.04)
    objective.observe(apply(objective, *batch()))

    for training in (True, False):
        assert sigma2_of(objective.train(training), *batch()).item() == 0.04
    assert not objective.state_dict()


@pytest.mark.parametrize("granularity", ["global", "channel", "pixel"])
@pytest.mark.parametrize("rule", [SigmaOptimal, SigmaLearned])
def test_the_likelihood_variance_is_that_of_an_evaluation(
    rule: Any, granularity: Granularity
) -> None:
    objective = rule(SHAPE, granularity).double()
    objective.observe(apply(objective.train(), *batch()))
    variance = objective.likelihood_variance(3)

    assert torch.equal(variance, sigma2_of(objective.eval(), *batch(1)))
    assert torch.equal(objective.train().likelihood_variance(3), variance)
    assert not variance.requires_grad


def test_the_likelihood_variance_is_not_below_the_floor() -> None:
    objective = SigmaOptimal(SHAPE)
    images, _ = batch()
    objective.observe(objective(images, images, posterior(), torch.zeros(5, 1)))
    assert float(objective.likelihood_variance(3)) == pytest.approx(SIGMA2_FLOOR)
    assert float(SigmaFixed(0.04).likelihood_variance(3)) == 0.04


@pytest.mark.parametrize(
    ("rule", "arguments", "named"),
    [
        (SigmaOptimal, {"granularity": "row"}, "granularity=row.*global, channel, pixel, image"),
        (SigmaOptimal, {"decay": 1.0}, "decay=1.0"),
        (SigmaOptimal, {"decay": -0.1}, "decay=-0.1"),
        (SigmaData, {"decay": 1.0}, "decay=1.0"),
        (SigmaLearned, {"granularity": "image"}, "granularity=image.*global, channel, pixel"),
    ],
)
def test_arguments_out_of_range_are_named(rule: Any, arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=rf"objective\.{named}"):
        rule(SHAPE, **arguments)


@pytest.mark.parametrize("sigma2", [0.0, -1.0, 1e-7])
def test_fixed_variance_below_the_floor_is_refused(sigma2: float) -> None:
    with pytest.raises(ValueError, match=r"objective\.sigma2="):
        SigmaFixed(sigma2)

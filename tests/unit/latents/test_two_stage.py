"""The second-stage VAE as a prior: against quadrature, after training, and in what it draws."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from reslag_vae._runtime import collectives
from reslag_vae.latents import DiagonalGaussian, TwoStagePrior, estimated, two_stage
from reslag_vae.training.build import build_system
from reslag_vae.training.freezing import frozen

GRID = torch.linspace(-9, 9, 1801, dtype=torch.float64)


def far_from_start(dimensions: int = 2, seed: int = 1) -> TwoStagePrior:
    """A prior in float64, in evaluation mode, that is not near N(0, I)."""
    torch.manual_seed(seed)
    prior = TwoStagePrior(dimensions, hidden_features=[16, 12]).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        prior.shift.copy_(torch.linspace(-1, 2, dimensions))
        prior.scale.copy_(torch.linspace(0.5, 3, dimensions))
    return prior.eval()


def rows(count: int, dimensions: int = 2) -> Tensor:
    return torch.randn(count, dimensions, dtype=torch.float64)


def density_by_quadrature(prior: TwoStagePrior) -> Tensor:
    """The density of one latent at the points of a grid."""
    u = GRID[:, None]
    gamma = (prior.log_variance / 2).exp()
    likelihood = Normal(prior.shift + prior.scale * prior.means_of(u), prior.scale * gamma)
    joint = likelihood.log_prob(GRID) + Normal(0.0, 1.0).log_prob(u)
    return torch.trapezoid(joint.exp(), GRID, dim=0)


def trained(data: Tensor, steps: int, width: int = 48) -> TwoStagePrior:
    """A prior that is fitted to (N, d) latents, in evaluation mode."""
    prior = TwoStagePrior(data.shape[1], hidden_features=[width, width])
    optimizer = torch.optim.Adam(prior.parameters(), 0.003)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = -prior().log_prob(data[torch.randint(len(data), (128,))]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return prior.eval()


@torch.no_grad()
def test_of_one_dimension_the_bound_is_below_the_density_and_its_exponential_is_it() -> None:
    prior = far_from_start(1)
    density = density_by_quadrature(prior)
    few = (density > 0.02).nonzero()[::20, 0]
    points = GRID[few, None].repeat_interleave(20_000, 0)
    bounds = prior.train()().log_prob(points).view(-1, 20_000)
    assert len(few) > 5

    assert float(torch.trapezoid(density, GRID)) == pytest.approx(1, abs=1e-3)
    estimates, error = bounds.exp().mean(1), bounds.exp().std(1) / math.sqrt(20_000)
    assert ((estimates - density[few]).abs() < 5 * error).all()
    assert (bounds.mean(1) < density[few].log()).all()


@torch.no_grad()
def test_of_one_dimension_samples_fit_the_density() -> None:
    prior = far_from_start(1)
    density = density_by_quadrature(prior)
    samples = prior.from_noise(torch.randn(100_000, 2, dtype=torch.float64))[:, 0]

    shares = torch.histogram(samples, GRID[::90]).hist / len(samples)
    cumulated = torch.cumulative_trapezoid(density, GRID)
    expected = torch.cat([torch.zeros(1), cumulated])[::90].diff()
    torch.testing.assert_close(shares, expected, rtol=0, atol=0.008)


@torch.no_grad()
def test_in_evaluation_it_is_the_importance_weighted_bound_of_sixteen_samples() -> None:
    prior, latents = far_from_start(), rows(7)
    standard = (latents - prior.shift) / prior.scale
    mean, raw = prior.inference(standard).chunk(2, dim=1)
    bounded_mean, log_variance = (20 * torch.tanh(numbers / 20) for numbers in (mean, raw))
    q = Independent(Normal(bounded_mean, (log_variance / 2).exp()), 1)
    weights = []
    for noise in prior.noise[:, 0]:
        u = bounded_mean + (log_variance / 2).exp() * noise
        gamma = (prior.log_variance / 2).exp()
        p = Independent(Normal(prior.means_of(u), gamma.expand(2)), 1)
        own = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
        weights.append(p.log_prob(standard) + own.log_prob(u) - q.log_prob(u))

    expected = torch.stack(weights).logsumexp(0) - math.log(16) - prior.scale.log().sum()
    assert len(weights) == 16
    torch.testing.assert_close(prior().log_prob(latents), expected)


@torch.no_grad()
def test_in_training_the_noise_is_fresh_and_in_evaluation_the_same() -> None:
    prior, other, latents = far_from_start(seed=1), far_from_start(seed=2), rows(5)
    assert torch.equal(prior().log_prob(latents), prior().log_prob(latents))
    assert torch.equal(prior.noise, other.noise)
    assert "noise" not in prior.state_dict()

    prior.train()
    torch.manual_seed(0)
    first, second = prior().log_prob(latents), prior().log_prob(latents)
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(prior().log_prob(latents), first)


@torch.no_grad()
def test_several_processes_draw_the_noise_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    prior, latents = far_from_start().train(), rows(6)
    torch.manual_seed(0)
    whole = prior().log_prob(latents)
    monkeypatch.setattr(collectives, "count", lambda: 2)
    for rank, part in enumerate(latents.chunk(2)):
        monkeypatch.setattr(collectives, "rank", lambda rank=rank: rank)
        torch.manual_seed(0)
        torch.testing.assert_close(prior().log_prob(part), whole.chunk(2)[rank])


def test_the_bound_is_tight_after_training_on_two_narrow_gaussians() -> None:
    torch.manual_seed(0)
    means = torch.tensor([[-1.0, 0.5], [1.0, -0.5]])
    parts = Independent(Normal(means, torch.tensor(0.3)), 1)
    truth = MixtureSameFamily(Categorical(torch.tensor([0.4, 0.6])), parts)
    prior = trained(truth.sample((10_000,)), steps=1500)
    fresh = truth.sample((10_000,))
    with torch.no_grad():
        gap = truth.log_prob(fresh).mean() - prior().log_prob(fresh).mean()
        samples = prior.from_noise(torch.randn(10_000, 4))

    # A Gaussian with the same moments is 0.66 nats below the truth.
    assert 0 < float(gap) < 0.1
    right = samples[:, 0] > 0
    assert float(right.double().mean()) == pytest.approx(0.6, abs=0.05)
    torch.testing.assert_close(samples[right].mean(0), means[1], rtol=0, atol=0.1)
    torch.testing.assert_close(samples[right].std(0), torch.full((2,), 0.3), rtol=0, atol=0.1)


@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 0.5), (300.0, -1e4)])
def test_latents_of_any_scale_are_standardised_by_the_first_that_train_it(
    scale: float, shift: float
) -> None:
    plain, scaled, latents = far_from_start().train(), far_from_start().train(), rows(64)
    bounds = []
    for prior, given in ((plain, latents), (scaled, shift + scale * latents)):
        torch.manual_seed(0)
        bounds.append(prior().log_prob(given))

    torch.testing.assert_close(bounds[1], bounds[0] - 2 * math.log(scale))
    torch.testing.assert_close(plain.scale, latents.std(0, correction=0))
    torch.testing.assert_close(plain.shift, latents.mean(0))
    first = plain.scale.clone()
    plain().log_prob(5 * rows(64))
    assert torch.equal(plain.scale, first), "only the first minibatch counts"


def test_latents_that_do_not_train_it_leave_it_as_it_is() -> None:
    prior, latents = far_from_start(), rows(9)
    before = copy.deepcopy(prior.state_dict())
    prior().log_prob(latents)
    prior.train()
    with torch.no_grad():
        prior().log_prob(latents)
    with frozen(prior):
        prior().log_prob(latents.requires_grad_()).sum().backward()

    assert latents.grad is not None
    assert all(torch.equal(value, before[name]) for name, value in prior.state_dict().items())


def test_a_dimension_without_spread_counts_as_it_is() -> None:
    prior = TwoStagePrior(2, [8])
    prior().log_prob(torch.tensor([[1.0, 4.0], [3.0, 4.0]]))
    assert prior.scale.tolist() == [1.0, 1.0]
    assert prior.shift.tolist() == [2.0, 4.0]
    one = TwoStagePrior(2, [8])
    assert one().log_prob(torch.tensor([[7.0, -7.0]])).isfinite().all()
    assert one.scale.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("dimensions", [1, 2, 7])
@torch.no_grad()
def test_it_starts_near_the_standard_normal(dimensions: int) -> None:
    torch.manual_seed(0)
    prior = TwoStagePrior(dimensions, [64, 64]).eval()
    latents, zeros = torch.randn(500, dimensions), torch.zeros(dimensions)
    expected = DiagonalGaussian(zeros, zeros).log_prob(latents)

    assert float((prior().log_prob(latents) - expected).mean().abs()) < 0.15
    torch.testing.assert_close(prior().mean, zeros, rtol=0, atol=0.15)
    torch.testing.assert_close(prior().variance, torch.ones(dimensions), rtol=0, atol=0.1)


@torch.no_grad()
def test_the_temperature_scales_both_noises() -> None:
    prior, noise = far_from_start(), rows(9, 4)
    assert torch.equal(prior.from_noise(noise, 0.5), prior.from_noise(0.5 * noise))
    cold = prior.from_noise(noise, 0.0)
    torch.testing.assert_close(cold, cold[:1].expand_as(cold))
    assert prior.from_noise(torch.cat([noise[:, :2], 0 * noise[:, 2:]], 1)).std() > 0
    assert prior.from_noise(torch.cat([0 * noise[:, :2], noise[:, 2:]], 1)).std() > 0


@torch.no_grad()
def test_latents_in_parts_are_bounded_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prior, latents, noise = far_from_start(), rows(10), rows(10, 4)
    whole = prior.from_noise(noise), prior().log_prob(latents)
    for module in (estimated, two_stage):
        monkeypatch.setattr(module, "ROWS", 3)
    parts = prior.from_noise(noise), prior().log_prob(latents)
    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-9)


def test_moments_are_estimated_once_and_anew_when_the_prior_has_changed() -> None:
    prior = far_from_start()
    first = prior.moments()
    assert prior.moments() is first
    prior.train()().log_prob(rows(5)).sum().backward()
    assert not torch.equal(prior.moments()[0], first[0])
    assert prior.float().moments()[0].dtype == torch.float32


@torch.no_grad()
def test_it_is_as_exact_under_autocast() -> None:
    prior, latents = far_from_start().float(), torch.randn(5, 2)
    expected = prior().log_prob(latents), prior.from_noise(torch.ones(3, 4))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(prior().log_prob(latents), expected[0])
        assert torch.equal(prior.from_noise(torch.ones(3, 4)), expected[1])


@torch.no_grad()
@pytest.mark.parametrize("value", [-1e4, 1e4])
def test_a_large_one_stays_finite_too(value: float) -> None:
    prior = TwoStagePrior(16).eval()
    for parameter in prior.parameters():
        parameter.fill_(value)
    samples = prior.from_noise(torch.randn(20, 32))

    assert samples.isfinite().all()
    assert prior().log_prob(samples).isfinite().all()


def test_it_is_built_where_there_is_no_memory() -> None:
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in TwoStagePrior(3, [4]).state_dict().items()}
    assert shapes == {
        name: value.shape for name, value in TwoStagePrior(3, [4]).state_dict().items()
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_features": []}, r"^prior\.hidden_features=\[\]: must be a list of 1 to 8"),
        ({"hidden_features": [1.5]}, r"^prior\.hidden_features=\[1\.5\]: must be a list of 1 to 8"),
        (
            {"latent_dim": 100_000, "hidden_features": [4096]},
            r"^prior\.hidden_features=\[4096\], prior\.latent_dim=100000: networks of more than",
        ),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TwoStagePrior(**({"latent_dim": 3} | options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (("model=vae", "posterior=bernoulli"), "posterior=bernoulli does not take prior=two_stage"),
        (("model=vq_vae", "prior.latent_dim=784"), "posterior=vq does not take prior=two_stage"),
        (("model=autoencoder",), "prior=two_stage does not take objective=reconstruction"),
    ],
)
def test_latents_that_are_no_numbers_and_losses_without_a_kl_refuse_it(
    choices: tuple[str, ...], message: str, compose: Callable[..., DictConfig]
) -> None:
    config = compose("prior=two_stage", *choices, "data=digits", "logger=none")
    with pytest.raises(ValueError, match=f"^{message}; "):
        build_system(config)

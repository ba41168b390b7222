"""Binary units: their mass, and samples that are exactly 0 or 1 with a gradient of their own."""

import itertools
from collections.abc import Callable

import pytest
import torch

from reslag_vae.latents import Bernoulli, BernoulliPosterior


def test_the_mass_is_that_of_torch_over_all_states() -> None:
    logits = 3 * torch.randn(5, dtype=torch.float64)
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=5)), dtype=torch.float64)
    own = Bernoulli(logits[None].expand(len(states), -1))
    masses = own.log_prob(states).exp()
    reference = torch.distributions.Bernoulli(logits=logits)

    torch.testing.assert_close(own.log_prob(states), reference.log_prob(states).sum(1))
    torch.testing.assert_close(masses @ states, own.mean[0])
    torch.testing.assert_close(masses @ (states - own.mean[0]).square(), own.variance[0])
    assert own.has_density
    assert own.log_variance is None


def test_below_the_top_the_posterior_is_the_product_with_the_prior_over_all_states() -> None:
    features, numbers = torch.randn(2, 1, 4, dtype=torch.float64)
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    posterior = BernoulliPosterior()
    prior = posterior.prior_of(numbers)
    product = posterior(features).repeat(16).log_prob(states) + prior.repeat(16).log_prob(states)

    own = posterior.given(features, prior).repeat(16).log_prob(states)
    torch.testing.assert_close(own.exp(), product.softmax(0))


def test_the_kl_is_that_of_torch() -> None:
    q, p = (
        Bernoulli(3 * torch.randn(2, 5, dtype=torch.float64)),
        Bernoulli(torch.randn(2, 5).double()),
    )
    first, second = (torch.distributions.Bernoulli(logits=own.logits) for own in (q, p))

    torch.testing.assert_close(q.kl(p), torch.distributions.kl_divergence(first, second))
    assert (
        (Bernoulli(torch.tensor([[-1e4, 1e4]])).kl(Bernoulli(torch.zeros(1, 2)))).isfinite().all()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0, 1e4])
def test_samples_are_exactly_0_or_1_for_any_logits_and_noise(
    dtype: torch.dtype, scale: float
) -> None:
    logits = (scale * torch.randn(200, 64, dtype=dtype)).requires_grad_()
    noise = torch.randn(200, 64, dtype=dtype)
    noise[:, :4] = torch.tensor([-40.0, -9.0, 9.0, 40.0], dtype=dtype)
    sample = Bernoulli(logits).rsample(noise)
    sample.sum().backward()

    assert sample.dtype == dtype
    assert ((sample == 0) | (sample == 1)).all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_samples_are_as_frequent_as_the_mass_says() -> None:
    own = Bernoulli(torch.tensor([[-2.0, 0.0, 1.5]], dtype=torch.float64))
    samples = own.repeat(40_000).rsample()

    torch.testing.assert_close(samples.mean(0), own.mean[0], rtol=0, atol=0.013)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_a_temperature_divides_the_logits(temperature: float) -> None:
    logits = torch.tensor([-3.0, -0.5, 0.0, 1.0, 4.0], dtype=torch.float64)
    # As many quantiles of N(0, 1) as tell a probability to 1e-4.
    noise = torch.special.ndtri((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000)
    samples = Bernoulli(logits).from_noise(noise[:, None], temperature)
    expected = (logits / temperature).sigmoid()
    torch.testing.assert_close(samples.mean(0), expected, rtol=0, atol=1e-4)


def test_at_temperature_0_the_likelier_value_is_drawn() -> None:
    noise = torch.randn(50, 2, dtype=torch.float64)
    samples = Bernoulli(torch.tensor([[-0.1, 0.1]], dtype=torch.float64)).from_noise(noise, 0.0)
    assert torch.equal(samples, samples.new_tensor([0.0, 1.0]).expand(50, 2))


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_the_gradient_is_that_of_the_relaxed_sample(temperature: float) -> None:
    posterior = BernoulliPosterior(temperature)
    logits = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(7, 4, dtype=torch.float64)
    weights = torch.randn(7, 4, dtype=torch.float64)
    (weights * posterior(logits).rsample(noise)).sum().backward()
    uniform = torch.special.ndtr(noise)
    relaxed = ((logits.detach() + uniform.log() - (1 - uniform).log()) / temperature).sigmoid()

    torch.testing.assert_close(logits.grad, weights * relaxed * (1 - relaxed) / temperature)


def test_it_compiles_without_a_break(traced: Callable[..., list[str]]) -> None:
    class Sampler(torch.nn.Module):
        def forward(self, logits: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
            return Bernoulli(logits).rsample(noise)

    assert traced(Sampler(), torch.randn(3, 2), torch.randn(3, 2))


def test_a_wrong_temperature_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^posterior\.temperature=0: must be a number from"):
        BernoulliPosterior(0)

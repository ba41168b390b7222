"""The Boltzmann prior against the enumeration of all states."""

import itertools

import pytest
import torch
from torch import Tensor

from reslag_vae.latents import Bernoulli, BoltzmannPrior
from tests.contracts.numbers import assert_mean

UNITS = (1, 2, 5, 8)


def trained(units: int) -> BoltzmannPrior:
    """A prior in float64, far from the even mass."""
    prior = BoltzmannPrior(units).double()
    torch.nn.init.normal_(prior.biases)
    torch.nn.init.normal_(prior.weights, std=2.0)
    return prior.requires_grad_(False)


def every_state(units: int) -> Tensor:
    """(2^d, d) of 0 and 1."""
    states = list(itertools.product([0.0, 1.0], repeat=units))
    return torch.tensor(states, dtype=torch.float64)


def masses(prior: BoltzmannPrior) -> Tensor:
    """(2^d,) masses of all states, by the definition: a·v + b·h + v·W h over a sum of all."""
    first = (prior.latent_dim + 1) // 2
    scores = []
    for state in every_state(prior.latent_dim):
        v, h = state[:first], state[first:]
        a, b = prior.biases[:first], prior.biases[first:]
        scores.append(a @ v + b @ h + v @ prior.weights @ h)
    return torch.stack(scores).softmax(0)


@pytest.mark.parametrize("units", UNITS)
def test_masses_and_marginals_are_those_of_all_states(units: int) -> None:
    prior, states = trained(units), every_state(units)
    expected, own = masses(prior), prior()
    means = expected @ states

    torch.testing.assert_close(own.log_prob(states), expected.log())
    torch.testing.assert_close(own.mean, means)
    torch.testing.assert_close(own.variance, expected @ (states - means).square())


@pytest.mark.parametrize("units", UNITS)
def test_the_kl_is_that_of_all_states(units: int) -> None:
    prior, states = trained(units), every_state(units)
    q = Bernoulli(2 * torch.randn(3, units, dtype=torch.float64))
    kl = prior.kl(q)
    expected = []
    for logits in q.logits:
        log_q = Bernoulli(logits.expand(len(states), -1)).log_prob(states)
        expected.append((log_q.exp() * (log_q - masses(prior).log())).sum())

    assert kl is not None
    assert kl.shape == (3, units)
    torch.testing.assert_close(kl.sum(1), torch.stack(expected))


def test_without_weights_each_unit_has_its_own_kl() -> None:
    prior = trained(5)
    prior.weights.zero_()
    q = Bernoulli(torch.randn(3, 5, dtype=torch.float64))
    own, other = (
        torch.distributions.Bernoulli(logits=x) for x in (q.logits, prior.biases.expand(3, -1))
    )

    expected = torch.distributions.kl_divergence(own, other)
    torch.testing.assert_close(prior.kl(q), expected)


@pytest.mark.parametrize("units", [5, 8])
def test_samples_are_as_frequent_as_their_mass(units: int) -> None:
    prior = trained(units)
    noise = torch.randn(40_000, prior.noise_dim, dtype=torch.float64)
    powers = 2.0 ** torch.arange(units - 1, -1, -1, dtype=torch.float64)
    numbers = (prior.from_noise(noise) @ powers).long()

    counts = torch.nn.functional.one_hot(numbers, 2**units).double()
    expected = masses(prior)
    rare = expected < 1e-3  # where a normal approximation of the error is none
    assert_mean(counts[:, ~rare], expected[~rare])
    assert_mean(counts[:, rare].sum(1), expected[rare].sum())


def test_a_temperature_divides_the_energies_and_at_0_the_likeliest_state_is_left() -> None:
    prior, states = trained(5), every_state(5)
    tempered = masses(prior).pow(1 / 2.5)
    torch.testing.assert_close(prior.machine(2.5).log_prob(states).exp(), tempered / tempered.sum())
    samples = prior.from_noise(torch.randn(50, prior.noise_dim, dtype=torch.float64), 0.0)
    assert torch.equal(samples, states[masses(prior).argmax()].expand(50, -1))


def test_it_starts_near_the_even_mass() -> None:
    own = BoltzmannPrior(8).double()()
    assert (own.log_prob(every_state(8)) + 8 * torch.log(torch.tensor(2.0))).abs().max() < 0.2


@pytest.mark.parametrize("units", [0, 33])
def test_more_units_than_can_be_summed_are_refused(units: int) -> None:
    message = rf"^prior\.latent_dim={units}: must be a whole number from 1 to 32, .* 2\^16 states"
    with pytest.raises(ValueError, match=message):
        BoltzmannPrior(units)

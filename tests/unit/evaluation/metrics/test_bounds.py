"""The importance-weighted bound."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reslag_vae.data.images import Images
from reslag_vae.evaluation import iteration
from reslag_vae.evaluation.adapters import EncoderDecoder
from reslag_vae.evaluation.metrics import bounds as module
from reslag_vae.evaluation.metrics.bounds import (
    dequantised_bits_per_dim,
    importance_weighted_bound,
    log_mean_exp,
)
from reslag_vae.latents import MixturePrior
from reslag_vae.likelihoods import Bernoulli, FixedVariance, Gaussian, Likelihood
from reslag_vae.models import FlatModel
from reslag_vae.networks import Network
from reslag_vae.objectives import Beta
from tests.systems import make_model

MakeNetwork = Callable[..., Network]


def vague(linear: Any) -> EncoderDecoder:
    """With an encoder that is off in mean and variance."""

    def posterior(images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = linear.posterior(images)
        return 0.9 * mean + 0.05, log_variance + 0.4

    return EncoderDecoder(posterior, linear.decode)


@pytest.mark.parametrize("samples", [1, 3, 50])
def test_with_the_exact_posterior_every_bound_is_the_exact_log_likelihood(
    linear: Any, samples: int
) -> None:
    images = linear.images(20)
    result = importance_weighted_bound(linear.exact(), images, samples, linear.sigma2)
    torch.testing.assert_close(
        result.importance_weighted, linear.log_prob(images), rtol=1e-12, atol=1e-10
    )
    torch.testing.assert_close(result.elbo, linear.log_prob(images), rtol=1e-12, atol=1e-10)


def test_with_another_posterior_it_lies_between_elbo_and_log_likelihood_and_tightens(
    linear: Any,
) -> None:
    images, model = linear.images(200), vague(linear)
    exact = float(linear.log_prob(images).mean())
    few, many = (
        importance_weighted_bound(model, images, samples, linear.sigma2) for samples in (4, 2000)
    )
    # In closed form, ELBO = log p(x) - KL(q(z|x) || p(z|x)).
    mean, log_variance = linear.posterior(images)
    own = model.posterior(images)
    p, q = (
        torch.distributions.Normal(m, (v / 2).exp())
        for m, v in ((mean, log_variance), (own.mean, own.log_variance))
    )
    elbo = exact - float(torch.distributions.kl_divergence(q, p).sum(1).mean())
    assert float(many.elbo.mean()) == pytest.approx(elbo, abs=0.02)
    assert elbo < float(few.importance_weighted.mean()) < float(many.importance_weighted.mean())
    assert float(many.importance_weighted.mean()) == pytest.approx(exact, abs=0.005)


def test_the_dequantised_bound_is_the_likelihood_within_the_cell(linear: Any) -> None:
    images = linear.images(500)
    result = importance_weighted_bound(linear.exact(), images, 4000, linear.sigma2, seed=5)
    shift = torch.rand(images.shape, generator=torch.Generator().manual_seed(6)).double() - 0.5
    expected = linear.log_prob(images + shift / 255)
    torch.testing.assert_close(result.dequantised, expected, rtol=0, atol=0.02)
    assert not torch.allclose(expected, linear.log_prob(images), rtol=0, atol=0.02)


def test_bits_per_dim_of_uniform_noise_are_those_of_its_entropy() -> None:
    # A density of 1 on [0, 1] spends log2(255) bits on each of its cells of width 1/255, one of 2
    # spends one bit less.
    bits = dequantised_bits_per_dim(torch.tensor([0.0, 784 * math.log(2)]).double(), 784)
    assert bits.tolist() == pytest.approx([math.log2(255), math.log2(255) - 1])


@pytest.mark.parametrize(("chunk", "latents"), [(3, 64), (512, 8), (1, 1), (7, 2**15)])
def test_it_does_not_depend_on_the_chunks(
    linear: Any, chunk: int, latents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = linear.images(10)
    whole = importance_weighted_bound(vague(linear), images, 16, linear.sigma2)
    monkeypatch.setattr(iteration, "CHUNK", chunk)
    monkeypatch.setattr(module, "LATENTS", latents)
    parts = importance_weighted_bound(vague(linear), images, 16, linear.sigma2)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_the_seed_decides_and_the_global_state_does_not(linear: Any) -> None:
    images = linear.images(3)
    first = importance_weighted_bound(vague(linear), images, 8, linear.sigma2)
    torch.rand(3)
    state = torch.random.get_rng_state()
    again = importance_weighted_bound(vague(linear), images, 8, linear.sigma2)
    other = importance_weighted_bound(vague(linear), images, 8, linear.sigma2, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.importance_weighted, again.importance_weighted)
    assert not torch.equal(first.importance_weighted, other.importance_weighted)


def test_a_variance_of_each_pixel_is_used(linear: Any) -> None:
    images, variance = (
        linear.images(5),
        torch.linspace(0.01, 0.1, 16, dtype=torch.float64).view(1, 1, 4, 4),
    )
    nothing = torch.zeros(5, 3, dtype=torch.float64)
    # The decoder ignores its latent, and the encoder says N(0, I): nothing but the likelihood is
    # left.
    model = EncoderDecoder(lambda x: (nothing, nothing), lambda z: z.new_zeros(len(z), 1, 4, 4))
    result = importance_weighted_bound(model, images, 2, variance)
    expected = torch.distributions.Normal(0.0, variance.sqrt()).log_prob(images).flatten(1).sum(1)
    torch.testing.assert_close(result.importance_weighted, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("choice", "sigma2"), [("elbo", 1.0), ("sigma_fixed", 0.05)])
def test_the_models_own_variance_is_the_default(
    choice: str, sigma2: float, make_network: MakeNetwork
) -> None:
    model = make_model(make_network(), choice).eval()
    images = torch.rand(4, 1, 8, 8)
    own = importance_weighted_bound(model, images, 4)
    given = importance_weighted_bound(model, images, 4, sigma2)
    assert torch.equal(own.importance_weighted, given.importance_weighted)


def test_the_variance_that_a_weight_of_the_kl_implies_is_that_of_a_density(
    make_network: MakeNetwork,
) -> None:
    model = make_model(make_network(), "beta").eval()
    images = torch.rand(4, 1, 8, 8)
    implied = model.likelihood.evaluated(Beta(6.0).kl_weight(3))
    own = importance_weighted_bound(model, images, 4, implied)
    given = importance_weighted_bound(model, images, 4, 1.0)
    assert torch.equal(own.importance_weighted, given.importance_weighted)


def test_images_of_8_bits_are_taken_as_numbers_in_0_to_1(make_network: MakeNetwork) -> None:
    model = make_model(make_network(), "sigma_optimal")
    images = torch.randint(256, (4, 1, 8, 8), dtype=torch.uint8)
    a = importance_weighted_bound(model, images, 4)
    b = importance_weighted_bound(model, images / 255, 4)
    torch.testing.assert_close(a.importance_weighted, b.importance_weighted)
    assert model.training


@pytest.mark.parametrize("held", ["array", "split"])
def test_images_of_8_bits_are_given_to_a_model_in_its_precision(
    held: str, make_network: MakeNetwork
) -> None:
    model = make_model(make_network(), "sigma_optimal")
    pixels = torch.randint(256, (4, 1, 8, 8), dtype=torch.uint8)
    images = pixels if held == "array" else Images(pixels)
    expected = importance_weighted_bound(model, images, 3).importance_weighted
    found = importance_weighted_bound(model.double(), images, 3).importance_weighted
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_a_model_in_half_precision_is_refused(
    precision: torch.dtype, make_network: MakeNetwork
) -> None:
    """Its bounds would be whole nats off."""
    model = make_model(make_network(), "sigma_optimal").to(precision)
    with pytest.raises(ValueError, match="call its float"):
        importance_weighted_bound(model, torch.rand(4, 1, 8, 8), 3)


@pytest.mark.parametrize(("choice", "parameters"), [("mmd", 2), ("reconstruction", 1)])
def test_a_model_without_a_variance_is_refused(
    choice: str, parameters: int, make_network: MakeNetwork
) -> None:
    model = make_model(make_network(parameters_per_latent=parameters), choice)
    with pytest.raises(ValueError, match="no likelihood variance of its own: give likelihood"):
        importance_weighted_bound(model, torch.rand(2, 1, 8, 8), 4)


def test_a_likelihood_of_other_parameters_than_the_decoders_is_refused(linear: Any) -> None:
    with pytest.raises(ValueError, match="no likelihood variance of its own: give likelihood"):
        importance_weighted_bound(linear.exact(), linear.images(2), 4)
    with pytest.raises(ValueError, match="likelihood=bernoulli: the decoder gives means"):
        importance_weighted_bound(linear.exact(), linear.images(2), 4, Bernoulli())
    with pytest.raises(
        ValueError, match="the decoder gives the parameters of likelihood=bernoulli"
    ):
        importance_weighted_bound(toy(), BINARY.view(4, 1, 1, 2), 4, 0.1)


def test_a_point_posterior_and_no_sample_are_refused(
    make_network: MakeNetwork, linear: Any
) -> None:
    model = make_model(make_network(parameters_per_latent=1), "reconstruction")
    with pytest.raises(ValueError, match="posterior with a density"):
        importance_weighted_bound(model, torch.rand(2, 1, 8, 8), 4, likelihood=0.1)
    with pytest.raises(ValueError, match="samples=0"):
        importance_weighted_bound(linear.exact(), linear.images(2), 0, 0.1)


def test_log_mean_exp_does_not_overflow() -> None:
    values = torch.tensor([[1000.0, 1000.0], [-1000.0, -1001.0]], dtype=torch.float64)
    expected = torch.tensor([1000.0, -1000 + math.log((1 + math.exp(-1)) / 2)], dtype=torch.float64)
    torch.testing.assert_close(log_mean_exp(values), expected)


BINARY = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
GRID = torch.linspace(-12, 12, 24_001, dtype=torch.float64)[:, None]


def toy(prior: MixturePrior | None = None) -> FlatModel:
    """Two binary pixels and one latent, between two linear maps."""
    inference = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    generative = nn.Sequential(nn.Linear(1, 2), nn.Unflatten(1, (1, 1, 2)))
    network = Network(inference, generative, (1, 1, 2), 1, 2, 1).double()
    with torch.no_grad():
        network.generative[0].weight.copy_(torch.tensor([[2.0], [-1.5]]))
        network.generative[0].bias.copy_(torch.tensor([0.3, -0.4]))
    return FlatModel(network, Bernoulli(), prior=prior).double()


def integral(values: Tensor) -> Tensor:
    """() integral over `GRID`, by the trapezoidal rule, of a function that is 0 at its ends."""
    return values.sum() * (GRID[1, 0] - GRID[0, 0])


def probabilities(model: FlatModel, image: Tensor) -> Tensor:
    """(G,) of an image's pixels together at each place of `GRID`, by the products of their own."""
    ones = model.network.generative(GRID).sigmoid().flatten(1)
    return torch.where(image == 1, ones, 1 - ones).prod(1)


@pytest.mark.parametrize("components", [0, 3])
@torch.no_grad()
def test_the_bounds_of_binary_images_are_those_of_numerical_integration(components: int) -> None:
    model = toy(MixturePrior(1, components) if components else None)
    images = BINARY.view(4, 1, 1, 2)
    result = importance_weighted_bound(model, images, 50_000)
    prior = model.prior().log_prob(GRID)
    evidence, elbo = [], []
    for image, posterior in zip(BINARY, model.posterior_of(images).mean, strict=True):
        own = model.posterior_of(image.view(1, 1, 1, 2))
        assert torch.equal(own.mean[0], posterior)
        q = torch.distributions.Normal(own.mean, (own.log_variance / 2).exp()).log_prob(GRID)[:, 0]
        likelihood = probabilities(model, image)
        evidence.append(integral(likelihood * prior.exp()))
        elbo.append(integral(q.exp() * (likelihood.log() + prior - q)))

    # The four images are all that there are.
    assert float(torch.stack(evidence).sum()) == pytest.approx(1.0, abs=1e-9)
    exact = torch.stack(evidence).log()
    torch.testing.assert_close(result.importance_weighted, exact, rtol=0, atol=0.02)
    torch.testing.assert_close(result.elbo, torch.stack(elbo), rtol=0, atol=0.02)
    assert (torch.stack(elbo) < exact).all()
    # A mass needs no point within a cell.
    assert torch.equal(result.dequantised, result.importance_weighted)


def test_a_foreign_pair_with_a_likelihood_is_bounded_as_the_model_it_is_taken_from() -> None:
    model, images = toy(), BINARY.view(4, 1, 1, 2)

    def encoder(x: Tensor) -> tuple[Tensor, Tensor]:
        own = model.posterior_of(x)
        return own.mean, own.log_variance

    pair = EncoderDecoder(encoder, model.network.generative, likelihood=Bernoulli())
    for one, other in zip(
        importance_weighted_bound(model, images, 16),
        importance_weighted_bound(pair, images, 16),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    latents = torch.randn(5, 1, dtype=torch.float64)
    torch.testing.assert_close(pair.decode(latents), model.decode(latents))


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(FixedVariance(0.1))])
@pytest.mark.parametrize("prior", [None, MixturePrior(3, 4)])
def test_neither_chunks_nor_the_global_state_count_for_any_prior_or_likelihood(
    prior: MixturePrior | None,
    likelihood: Likelihood,
    make_network: MakeNetwork,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = FlatModel(make_network(), likelihood, prior=prior).double()
    images = torch.randint(2, (10, 1, 8, 8)).double()
    state = torch.random.get_rng_state()
    whole = importance_weighted_bound(model, images, 16)
    monkeypatch.setattr(iteration, "CHUNK", 3)
    monkeypatch.setattr(module, "LATENTS", 64)
    parts = importance_weighted_bound(model, images, 16)
    assert torch.equal(torch.random.get_rng_state(), state)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)

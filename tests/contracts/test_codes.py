"""What every posterior of codes promises, and the mass under which codes are alike."""

import math

import pytest
import torch
from torch import Tensor

from reslag_vae import latents
from reslag_vae.evaluation import encode
from reslag_vae.latents import Coded, CodePosterior, CodePrior, Level, UniformCodes, VectorQuantised
from reslag_vae.likelihoods import UnitGaussian
from reslag_vae.models import FlatModel
from reslag_vae.models.terms import compute_terms
from reslag_vae.networks import GridNetwork
from reslag_vae.objectives import ELBO
from tests.contracts.parts import LATENT_DIM, Case, cases

Shape = tuple[int, int, int]

COUNT, POSITIONS = 3, 4
GRID, ABOVE = (2, 2), (2, 1, 1)
CASES = [case for case in cases(latents, CodePosterior) if case.kind is not CodePosterior]
MASSES = cases(latents, CodePrior)
every_mass = pytest.mark.parametrize("mass", MASSES, ids=[mass.label for mass in MASSES])
every_code = pytest.mark.parametrize("case", CASES, ids=[case.label for case in CASES])


def built(case: Case) -> CodePosterior:
    torch.manual_seed(0)
    posterior: CodePosterior = case.build().double()
    return posterior


def features() -> Tensor:
    size = (COUNT, LATENT_DIM * POSITIONS)
    return torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def density_of(posterior: CodePosterior, numbers: Tensor) -> Coded:
    density = posterior(numbers)
    assert isinstance(density, Coded)
    return density


def bound(case: Case, posterior: CodePosterior, above: Shape | None = None) -> CodePrior:
    """A prior in float64 whose parameters are not those of its start."""
    torch.manual_seed(1)
    prior: CodePrior = case.build()
    prior.bind(Level(posterior, LATENT_DIM * POSITIONS, grid=GRID, above=above))
    for parameter in prior.double().parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    return prior.requires_grad_(False)


def few() -> CodePosterior:
    """So few codes that all that there can be at all positions are listed."""
    torch.manual_seed(0)
    return VectorQuantised(LATENT_DIM, codes=3).double()


def every_grid(posterior: CodePosterior) -> torch.Tensor:
    """(K^N, N) codes."""
    return torch.cartesian_prod(*[torch.arange(posterior.codes)] * POSITIONS)


@every_code
def test_every_code_is_its_own_nearest(case: Case) -> None:
    posterior = built(case)
    codes = torch.arange(posterior.codes)
    vectors = posterior.vectors_of(codes)

    assert vectors.shape == (posterior.codes, LATENT_DIM)
    assert len(vectors.unique(dim=0)) == posterior.codes
    assert torch.equal(posterior.indices_of(vectors), codes)


@every_code
def test_numbers_far_away_have_a_nearest_code_too(case: Case) -> None:
    posterior = built(case)
    vectors = posterior.vectors_of(torch.arange(posterior.codes)).double()
    far = torch.tensor([[1.6, 0, 0], [0, 0, -1.9], [-9, 0, 9], [4, 4, 4]], dtype=torch.float64)
    nearest = torch.cdist(far, vectors).min(1).values
    found = (far - vectors[posterior.indices_of(far)]).norm(dim=1)
    torch.testing.assert_close(found, nearest)


@every_code
@pytest.mark.parametrize("size", [1e10, 1e19, 1e30])
def test_numbers_beyond_whole_ones_have_a_nearest_code_too(case: Case, size: float) -> None:
    posterior = built(case)
    vectors = posterior.vectors_of(torch.arange(posterior.codes)).double()
    far = torch.tensor([[1.0, 0.5, 0.2], [-1.0, 1.0, -0.5]], dtype=torch.float64)
    # So far away, what is nearest is decided by the direction alone.
    expected = (far @ vectors.T).max(1).values
    found = (far * vectors[posterior.indices_of(size * far)]).sum(1)
    torch.testing.assert_close(found, expected)


@every_code
def test_latents_are_bit_for_bit_those_of_the_codes(case: Case) -> None:
    posterior = built(case)
    density = density_of(posterior, features())

    assert density.indices.shape == (COUNT, POSITIONS)
    assert torch.equal(density.mean, posterior.latents_of(density.indices).to(density.mean.dtype))
    assert torch.equal(posterior.codes_at(density.mean), density.indices)
    # Channel by channel, each with all of its positions, as a grid is flattened.
    grid = density.mean.view(COUNT, LATENT_DIM, POSITIONS)
    vectors = posterior.vectors_of(density.indices).to(grid.dtype)
    assert torch.equal(grid.movedim(1, 2), vectors)


@every_code
def test_a_position_s_code_is_its_own_affair(case: Case) -> None:
    posterior = built(case)
    numbers = features()
    moved = numbers.view(COUNT, LATENT_DIM, POSITIONS).clone()
    moved[:, :, 2] += 10
    before, after = (density_of(posterior, own).indices for own in (numbers, moved.flatten(1)))
    others = [0, 1, 3]
    assert torch.equal(before[:, others], after[:, others])


@every_code
def test_half_precision_around_it_changes_no_code(case: Case) -> None:
    posterior = built(case).float()
    numbers = features().float()
    expected = density_of(posterior, numbers).indices
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(density_of(posterior, numbers).indices, expected)


@every_code
@every_mass
def test_the_kl_is_what_the_mass_says(case: Case, mass: Case) -> None:
    posterior = built(case)
    prior = bound(mass, posterior)
    density = density_of(posterior, features())
    kl = prior.kl(density)

    assert prior.noise_dim == POSITIONS
    assert kl is not None
    assert kl.shape == density.mean.shape
    expected = density.log_prob(density.mean) - prior().log_prob(density.mean)
    torch.testing.assert_close(kl.sum(1), expected, rtol=1e-6, atol=0)


@every_mass
def test_a_mass_sums_to_one_over_all_codes(mass: Case) -> None:
    posterior = few()
    for context in (None, torch.randn(1, math.prod(ABOVE), dtype=torch.float64)):
        prior = bound(mass, posterior, None if context is None else ABOVE)
        latents = posterior.latents_of(every_grid(posterior))
        given = None if context is None else context.expand(len(latents), -1)
        log_masses = prior(given).log_prob(latents)
        assert float(log_masses.logsumexp(0)) == pytest.approx(0, abs=1e-6)


@every_mass
def test_samples_of_a_mass_come_as_often_as_it_says(mass: Case) -> None:
    posterior = few()
    prior, context = bound(mass, posterior, ABOVE), torch.randn(1, math.prod(ABOVE)).double()
    grids = every_grid(posterior)
    expected = prior(context.expand(len(grids), -1)).log_prob(posterior.latents_of(grids)).exp()
    noise = torch.randn(20_000, prior.noise_dim, dtype=torch.float64)
    codes = posterior.codes_at(prior.from_noise(noise, context=context.expand(len(noise), -1)))
    place = torch.tensor([posterior.codes**n for n in reversed(range(POSITIONS))])
    counts = torch.bincount((codes * place).sum(1), minlength=len(grids))

    error = (expected * (1 - expected) / len(noise)).sqrt()
    assert ((counts / len(noise) - expected).abs() < 5 * error + 1 / len(noise)).all()


@every_code
@every_mass
def test_a_sample_of_a_mass_is_a_function_of_its_own_noise(case: Case, mass: Case) -> None:
    posterior = built(case)
    prior = bound(mass, posterior)
    noise, before = torch.randn(23, prior.noise_dim, dtype=torch.float64), torch.get_rng_state()
    together = prior.from_noise(noise)
    apart = torch.cat([prior.from_noise(part) for part in noise.split([1, 2, 17, 3])])

    assert together.dtype == noise.dtype
    assert torch.equal(together, apart)
    assert torch.equal(torch.get_rng_state(), before)
    vectors = posterior.vectors_of(torch.arange(posterior.codes)).double()
    means = vectors.mean(0).repeat_interleave(POSITIONS)
    torch.testing.assert_close(prior().mean.double(), means)


@every_mass
def test_what_codes_cost_has_no_gradient_to_the_encoder(mass: Case) -> None:
    posterior = few()
    prior = bound(mass, posterior, ABOVE).requires_grad_(True)
    numbers = features().requires_grad_()
    above = torch.randn(COUNT, math.prod(ABOVE), dtype=torch.float64, requires_grad=True)
    kl = prior.kl(density_of(posterior, numbers), above)
    assert kl is not None
    if list(prior.parameters()):
        kl.sum().backward()
    assert numbers.grad is None
    assert above.grad is None


@every_mass
def test_the_bound_of_codes_is_below_what_all_codes_give(mass: Case) -> None:
    """On a model so small that p(x) is summed over all codes."""
    posterior = few()
    network = GridNetwork((1, 4, 4), LATENT_DIM, [4], [1]).double()
    torch.manual_seed(1)
    model = FlatModel(network, UnitGaussian(), posterior, mass.build()).double().eval()
    images = torch.rand(COUNT, 1, 4, 4, dtype=torch.float64)
    latents = posterior.latents_of(every_grid(posterior))
    log_masses = model.prior().log_prob(latents)
    with torch.no_grad():
        each = [
            model.log_likelihood(image.expand(len(latents), 1, 4, 4), latents) for image in images
        ]
        exact = torch.stack([(own + log_masses).logsumexp(0) for own in each])
        terms, inferred = compute_terms(model, ELBO().eval(), images)

    # The one term of the sum that the image's own codes give, and hence no more than it.
    own = model.log_likelihood(images, inferred.code) - inferred.rate()
    assert (own < exact).all()
    assert (own > exact - 20).all()
    constant = 16 / 2 * math.log(2 * math.pi)
    torch.testing.assert_close(-terms.loss - constant, own)


@every_code
def test_an_evaluation_counts_the_codes_of_all_images(case: Case) -> None:
    torch.manual_seed(0)
    network = GridNetwork((1, 8, 8), LATENT_DIM, [4, 4], [1, 1])
    model = FlatModel(network, UnitGaussian(), case.build(), UniformCodes())
    images = torch.rand(700, 1, 8, 8)  # more than go through a network at a time
    codes = encode(model, images)
    model.eval()
    expected = model.posterior.codes_at(codes.means).flatten()  # type: ignore[operator]

    (usage,) = codes.usage
    assert usage.tolist() == torch.bincount(expected, minlength=len(usage)).tolist()
    torch.testing.assert_close(model.nearest(codes.means + 1e-4), codes.means)

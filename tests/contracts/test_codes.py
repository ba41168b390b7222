"""What every posterior of codes promises, and the mass under which codes are alike."""

import math

import pytest
import torch
from torch import Tensor

from reslag_vae import latents
from reslag_vae.evaluation import encode
from reslag_vae.latents import Coded, CodePosterior, Level, UniformCodes
from reslag_vae.likelihoods import UnitGaussian
from reslag_vae.models import FlatModel
from reslag_vae.networks import GridNetwork
from tests.contracts.parts import LATENT_DIM, Case, cases

COUNT, POSITIONS = 3, 4
CASES = [case for case in cases(latents, CodePosterior) if case.kind is not CodePosterior]
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


def bound(posterior: CodePosterior) -> UniformCodes:
    prior = UniformCodes()
    prior.bind(Level(posterior, LATENT_DIM * POSITIONS))
    return prior


@every_code
def test_every_code_is_its_own_nearest(case: Case) -> None:
    posterior = built(case)
    codes = torch.arange(posterior.codes)
    vectors = posterior.vectors_of(codes)

    assert vectors.shape == (posterior.codes, LATENT_DIM)
    assert len(vectors.unique(dim=0)) == posterior.codes
    assert torch.equal(posterior.indices_of(vectors), codes)


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
def test_the_even_mass_sums_to_one_over_all_codes(case: Case) -> None:
    posterior = built(case)
    prior = bound(posterior)
    density = density_of(posterior, features())
    kl = prior.kl(density)
    assert kl is not None

    # Of codes at one position there are K, of N positions K to the N-th.
    log_count = POSITIONS * math.log(posterior.codes)
    assert float(prior().log_prob(density.mean)[0]) == pytest.approx(-log_count)
    torch.testing.assert_close(kl.sum(1), torch.full((COUNT,), log_count).double())
    torch.testing.assert_close(
        kl.sum(1), density.log_prob(density.mean) - prior().log_prob(density.mean)
    )


@every_code
def test_samples_are_codes_each_as_often(case: Case) -> None:
    posterior = built(case)
    prior = bound(posterior)
    noise = torch.randn(20_000, prior.noise_dim, dtype=torch.float64)
    codes = posterior.codes_at(prior.from_noise(noise))
    shares = torch.bincount(codes.flatten(), minlength=posterior.codes) / codes.numel()
    error = (1 / posterior.codes / codes.numel()) ** 0.5

    assert prior.noise_dim == POSITIONS
    assert ((shares - 1 / posterior.codes).abs() < 5 * error).all()
    vectors = posterior.vectors_of(torch.arange(posterior.codes)).double()
    means = vectors.mean(0).repeat_interleave(POSITIONS)
    torch.testing.assert_close(prior().mean.double(), means)


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

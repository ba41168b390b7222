import math

import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation.codes import Codes
from reslag_vae.latents import DiagonalGaussian, Inferred, LatentStatistics, MixturePrior
from reslag_vae.latents.statistics import aggregate_log_prob, mutual_information
from tests.inferred import infer


def random_posterior(count: int = 7, dimensions: int = 3) -> DiagonalGaussian:
    return DiagonalGaussian(
        torch.randn(count, dimensions, dtype=torch.float64),
        2 * torch.randn(count, dimensions, dtype=torch.float64),
    )


def loop_log_prob(posterior: DiagonalGaussian, latent: Tensor) -> float:
    """log (1/N) sum of N densities, one by one."""
    mixture = 0.0
    for mean, log_variance in zip(
        posterior.mean.tolist(), posterior.log_variance.tolist(), strict=True
    ):
        density = 1.0
        for m, v, z in zip(mean, log_variance, latent.tolist(), strict=True):
            density *= math.exp(-((z - m) ** 2) / (2 * math.exp(v))) / math.sqrt(
                2 * math.pi * math.exp(v)
            )
        mixture += density / len(posterior.mean)
    return math.log(mixture)


@pytest.mark.parametrize("chunk", [1, 4, 1024])
def test_aggregate_is_the_brute_force_mixture(chunk: int) -> None:
    posterior, latents = random_posterior(), torch.randn(9, 3, dtype=torch.float64)
    expected = torch.tensor([loop_log_prob(posterior, z) for z in latents], dtype=torch.float64)

    torch.testing.assert_close(
        aggregate_log_prob(posterior, latents, chunk), expected, rtol=1e-10, atol=1e-10
    )


def test_aggregate_without_the_own_posterior_is_the_brute_force_mixture_of_the_others() -> None:
    posterior = random_posterior()
    latents = posterior.rsample()
    expected = []
    for i, z in enumerate(latents):
        others = [j for j in range(len(latents)) if j != i]
        expected.append(
            loop_log_prob(
                DiagonalGaussian(posterior.mean[others], posterior.log_variance[others]), z
            )
        )

    for chunk in (1, 4, 1024):
        values = aggregate_log_prob(posterior, latents, chunk, without_own=True)
        torch.testing.assert_close(
            values, torch.tensor(expected, dtype=torch.float64), rtol=1e-10, atol=1e-10
        )


def test_aggregate_is_a_density() -> None:
    posterior = DiagonalGaussian(torch.randn(5, 1), torch.randn(5, 1))
    grid = torch.linspace(-30, 30, 20_001, dtype=torch.float64)

    assert torch.trapezoid(
        aggregate_log_prob(posterior, grid[:, None]).exp(), grid
    ) == pytest.approx(1, abs=1e-6)


def test_mutual_information_is_the_brute_force_mean() -> None:
    posterior = random_posterior()
    latents = posterior.rsample()
    own = posterior.log_prob(latents).tolist()
    expected = sum(
        p - loop_log_prob(posterior, z) for p, z in zip(own, latents, strict=True)
    ) / len(own)

    assert float(mutual_information(posterior, latents)) == pytest.approx(expected, rel=1e-10)


def test_mutual_information_reaches_its_ceiling_and_its_floor() -> None:
    count = 64
    separated = DiagonalGaussian(100.0 * torch.arange(count)[:, None], torch.zeros(count, 1))
    assert float(mutual_information(separated, separated.rsample())) == pytest.approx(
        math.log(count), abs=1e-9
    )

    identical = DiagonalGaussian(torch.full((count, 2), 0.3), torch.full((count, 2), -1.0))
    assert float(mutual_information(identical, identical.rsample())) == pytest.approx(0, abs=1e-9)


def test_mutual_information_is_finite_for_the_sharpest_posteriors() -> None:
    posterior = DiagonalGaussian.from_parameters(
        torch.cat([torch.randn(32, 2), torch.full((32, 2), -1e4)], 1)
    )
    assert float(mutual_information(posterior, posterior.rsample())) == pytest.approx(
        math.log(32), abs=1e-3
    )


@pytest.mark.parametrize(("slope", "std"), [(1.0, 1.0), (2.0, 0.5), (0.3, 1.0)])
def test_mutual_information_of_a_linear_gaussian_model(slope: float, std: float) -> None:
    # Posterior N(a x, s²) with x ~ N(0, 1): the aggregate is N(0, a² + s²) and I = ln(1 + a²/s²) /
    # 2.
    count = 2000
    mean = slope * torch.randn(count, 1, dtype=torch.float64)
    posterior = DiagonalGaussian(mean, torch.full_like(mean, 2 * math.log(std)))
    exact = 0.5 * math.log(1 + slope**2 / std**2)

    assert float(mutual_information(posterior, posterior.rsample())) == pytest.approx(
        exact, abs=0.06
    )


# Accumulated batch by batch


def posterior_of(spread: list[float], count: int = 60) -> DiagonalGaussian:
    """Posteriors whose means vary with the given standard deviation in each dimension, exactly."""
    column = torch.randn(count, len(spread), dtype=torch.float64)
    column = (column - column.mean(0)) / column.std(0, unbiased=False)
    return DiagonalGaussian(
        column * torch.tensor(spread, dtype=torch.float64), -torch.ones(count, len(spread)).double()
    )


def gather(
    posterior: DiagonalGaussian, latents: Tensor, batch: int, reference: int = 2048
) -> LatentStatistics:
    statistics = LatentStatistics(reference)
    for i in range(0, len(latents), batch):
        part = DiagonalGaussian(
            posterior.mean[i : i + batch], posterior.log_variance[i : i + batch]
        )
        statistics.add(infer(part, latents[i : i + batch]), part.standard_kl().sum(1))
    return statistics


@pytest.mark.parametrize("reference", [2048, 25])
@pytest.mark.parametrize("batch", [1, 7, 59])
def test_statistics_do_not_depend_on_the_batching(batch: int, reference: int) -> None:
    posterior = posterior_of([1.0, 0.05, 0.5])
    latents = posterior.rsample()
    parts, whole = (
        gather(posterior, latents, batch, reference),
        gather(posterior, latents, 60, reference),
    )

    torch.testing.assert_close(
        parts.kl_per_dimension(), whole.kl_per_dimension(), rtol=1e-12, atol=0
    )
    assert torch.equal(parts.active(), whole.active())
    assert parts.mutual_information() == pytest.approx(whole.mutual_information(), rel=1e-12)
    assert parts.verdict() == whole.verdict()


def test_kl_is_the_mean_over_images() -> None:
    posterior = posterior_of([1.0, 0.2])
    statistics = gather(posterior, posterior.rsample(), 16)

    torch.testing.assert_close(
        statistics.kl_per_dimension(), posterior.standard_kl().mean(0), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_units_are_active_above_a_variance_of_a_hundredth(offset: float) -> None:
    mean, log_variance = posterior_of([0.101, 0.099, 1.0])
    posterior = DiagonalGaussian(mean + offset, log_variance)

    assert gather(posterior, posterior.rsample(), 16).active().tolist() == [True, False, True]


@pytest.mark.parametrize("scale", [1e-2, 1.0, 30.0])
@pytest.mark.parametrize("batch", [7, 60])
def test_units_are_active_in_units_of_the_priors_variance(scale: float, batch: int) -> None:
    prior = MixturePrior(3, 2).double()
    with torch.no_grad():
        # Two narrow components at -s and s: the variance is that of their means.
        prior.means.copy_(scale * torch.tensor([[-1.0] * 3, [1.0] * 3]))
        prior.log_variances.fill_(-18.0)
        mean, log_variance = posterior_of([0.101, 0.099, 1.0])
        mean, statistics, variance = scale * mean, LatentStatistics(), prior().variance
        for i in range(0, len(mean), batch):
            own = DiagonalGaussian(mean[i : i + batch], log_variance[i : i + batch])
            inferred = Inferred((own,), (prior(),), (own.mean,), (None,), {})
            statistics.add(inferred, torch.zeros(len(own.mean)))
    expected = [True, False, True]

    assert statistics.active().tolist() == expected
    assert Codes(mean, mean, prior_variances=variance.expand_as(mean)).active.tolist() == expected
    assert Codes(mean, mean).active.tolist() == (mean.var(0, unbiased=False) > 0.01).tolist()


def test_mutual_information_uses_the_first_posteriors_and_says_its_ceiling() -> None:
    posterior = posterior_of([3.0, 1.0])
    latents = posterior.rsample()
    value, ceiling = gather(posterior, latents, 16, reference=20).mutual_information()

    first = DiagonalGaussian(posterior.mean[:20], posterior.log_variance[:20])
    assert value == pytest.approx(float(mutual_information(first, latents[:20])), rel=1e-12)
    assert ceiling == math.log(20)
    assert 0 < value <= ceiling


@pytest.mark.parametrize(
    ("spread", "start", "units"),
    [
        ([0.01, 0.01, 0.01, 0.01], "COLLAPSED", "0 of 4"),
        ([1.0, 0.01, 0.01, 0.01], "partly collapsed", "1 of 4"),
        ([1.0, 1.0, 0.01, 0.01], "partly collapsed", "2 of 4"),
        ([1.0, 1.0, 1.0, 0.01], "no collapse, but 1 of the units idle", "3 of 4"),
        ([1.0, 1.0, 1.0, 1.0], "no collapse (", "4 of 4"),
    ],
)
def test_verdict(spread: list[float], start: str, units: str) -> None:
    posterior = posterior_of(spread)
    verdict = gather(posterior, posterior.rsample(), 16).verdict()

    assert verdict.startswith(start)
    assert units in verdict
    assert f"{float(posterior.standard_kl().mean(0).sum()):.2f} nats" in verdict


def test_active_units_of_next_to_no_kl_say_nothing() -> None:
    mean = 0.15 * torch.linspace(-1.7, 1.7, 64, dtype=torch.float64)[:, None].expand(64, 3)
    posterior = DiagonalGaussian(mean, torch.zeros_like(mean))
    statistics = gather(posterior, posterior.rsample(), 16)

    assert statistics.active().all()
    assert statistics.verdict() == (
        "COLLAPSED: the code says nothing of the image (3 of 3 units active, KL 0.03 nats)"
    )

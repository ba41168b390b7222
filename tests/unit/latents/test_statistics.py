import math

import pytest
import torch

from reslag_vae.latents.gaussian import DiagonalGaussian, mutual_information
from reslag_vae.latents.statistics import LatentStatistics


def posterior_of(spread: list[float], count: int = 60) -> DiagonalGaussian:
    """Posteriors whose means vary with the given standard deviation in each dimension, exactly."""
    column = torch.randn(count, len(spread), dtype=torch.float64)
    column = (column - column.mean(0)) / column.std(0, unbiased=False)
    return DiagonalGaussian(
        column * torch.tensor(spread, dtype=torch.float64), -torch.ones(count, len(spread)).double()
    )


def gather(
    posterior: DiagonalGaussian, latents: torch.Tensor, batch: int, reference: int = 2048
) -> LatentStatistics:
    statistics = LatentStatistics(reference)
    for i in range(0, len(latents), batch):
        part = DiagonalGaussian(
            posterior.mean[i : i + batch], posterior.log_variance[i : i + batch]
        )
        statistics.add(part, latents[i : i + batch], part.kl())
    return statistics


@pytest.mark.parametrize("reference", [2048, 25])
@pytest.mark.parametrize("batch", [1, 7, 59])
def test_statistics_do_not_depend_on_the_batching(batch: int, reference: int) -> None:
    posterior = posterior_of([1.0, 0.05, 0.5])
    latents = posterior.sample()
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
    statistics = gather(posterior, posterior.sample(), 16)

    torch.testing.assert_close(
        statistics.kl_per_dimension(), posterior.kl().mean(0), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_units_are_active_above_a_variance_of_a_hundredth(offset: float) -> None:
    mean, log_variance = posterior_of([0.101, 0.099, 1.0])
    posterior = DiagonalGaussian(mean + offset, log_variance)

    assert gather(posterior, posterior.sample(), 16).active().tolist() == [True, False, True]


def test_mutual_information_uses_the_first_posteriors_and_says_its_ceiling() -> None:
    posterior = posterior_of([3.0, 1.0])
    latents = posterior.sample()
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
    verdict = gather(posterior, posterior.sample(), 16).verdict()

    assert verdict.startswith(start)
    assert units in verdict
    assert f"{float(posterior.kl().mean(0).sum()):.2f} nats" in verdict

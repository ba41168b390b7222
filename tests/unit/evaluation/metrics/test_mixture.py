"""The Gaussian mixture of the codes."""

import pytest
import torch

from reslag_vae.evaluation.metrics.mixture import CodeMixture


@pytest.fixture
def codes() -> torch.Tensor:
    """Two clusters, three quarters of the codes in the first."""
    first = torch.tensor([4.0, 0.0]) + torch.randn(1500, 2) * torch.tensor([0.5, 1.0])
    second = torch.tensor([-4.0, 2.0]) + torch.randn(500, 2) * 0.2
    return torch.cat([first, second])


def test_samples_are_distributed_as_the_codes(codes: torch.Tensor) -> None:
    drawn = CodeMixture(codes, 2).sample(8000)
    left = drawn[:, 0] < 0
    assert float(left.double().mean()) == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(drawn[left].mean(0), torch.tensor([-4.0, 2.0]), rtol=0, atol=0.05)
    torch.testing.assert_close(drawn[~left].std(0), torch.tensor([0.5, 1.0]), rtol=0, atol=0.06)
    assert drawn.dtype == codes.dtype


def test_its_density_is_that_of_one_gaussian_with_one_component() -> None:
    codes = torch.randn(5000, 2) * torch.tensor([2.0, 0.5]) + 1
    points = torch.randn(6, 2)
    covariance = torch.cov(codes.double().T, correction=0)
    expected = torch.distributions.MultivariateNormal(codes.double().mean(0), covariance).log_prob(
        points.double()
    )
    torch.testing.assert_close(
        CodeMixture(codes, 1).log_prob(points), expected, rtol=1e-4, atol=1e-4
    )


def test_of_very_many_dimensions_the_covariances_are_diagonal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reslag_vae.evaluation.metrics.mixture.MOST_FULL", 1)
    first = torch.randn(5000, 1)
    codes = torch.cat([first, first + 0.1 * torch.randn(5000, 1)], dim=1)
    drawn = CodeMixture(codes, 1).sample(5000)
    torch.testing.assert_close(drawn.std(0), codes.std(0), rtol=0.05, atol=0)
    assert abs(float(torch.corrcoef(drawn.T)[0, 1])) < 0.1


def test_the_first_samples_are_of_every_component(codes: torch.Tensor) -> None:
    left = CodeMixture(codes, 2).sample(400)[:50, 0] < 0
    assert 0 < left.sum() < 50


def test_the_seed_decides_and_the_global_states_do_not(codes: torch.Tensor) -> None:
    mixture = CodeMixture(codes, 3)
    first = mixture.sample(20, seed=1)
    torch.rand(1)
    assert torch.equal(CodeMixture(codes, 3).sample(20, seed=1), first)
    assert torch.equal(mixture.sample(20, seed=1), first)
    assert not torch.equal(mixture.sample(20, seed=2), first)


def test_too_few_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="components=10: 9 codes"):
        CodeMixture(torch.randn(9, 2))

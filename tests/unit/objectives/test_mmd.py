import math
from typing import Any

import pytest
import torch
from torch import Tensor

from reslag_vae.data.images import Batch
from reslag_vae.evaluation.epoch import EvaluationEpoch
from reslag_vae.latents import DiagonalGaussian, Point
from reslag_vae.likelihoods import SquaredError
from reslag_vae.models import FlatModel
from reslag_vae.models.terms import compute_terms
from reslag_vae.networks import PlainNetwork
from reslag_vae.objectives import MMD
from reslag_vae.objectives.mmd import Estimator, squared_mmd
from reslag_vae.training.noise import draw_noise
from tests.inferred import infer


def kernel(x: list[float], y: list[float], bandwidth: float) -> float:
    return math.exp(-sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / bandwidth)


def loop_mmd(x: list[list[float]], y: list[list[float]], bandwidth: float, estimator: str) -> float:
    """Gretton et al. 2012, Eq. 3 and 5, pair by pair."""

    def within(points: list[list[float]]) -> float:
        total, pairs = 0.0, 0
        for i, a in enumerate(points):
            for j, b in enumerate(points):
                if estimator == "biased" or i != j:
                    total, pairs = total + kernel(a, b, bandwidth), pairs + 1
        return total / pairs

    across = sum(kernel(a, b, bandwidth) for a in x for b in y) / (len(x) * len(y))
    return within(x) + within(y) - 2 * across


def draws(count: int, size: int, dimensions: int, estimator: Estimator) -> Tensor:
    """Estimates between two samples of the prior, at the default bandwidth."""
    torch.manual_seed(0)
    pairs = torch.randn(count, 2, size, dimensions, dtype=torch.float64)
    return torch.stack([squared_mmd(x, y, dimensions**2, estimator) for x, y in pairs])


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
@pytest.mark.parametrize("sizes", [(5, 5), (4, 7), (2, 3)])
@pytest.mark.parametrize("bandwidth", [0.5, 9.0])
def test_mmd_is_the_double_loop(
    estimator: Estimator, sizes: tuple[int, int], bandwidth: float
) -> None:
    x, y = (
        torch.randn(sizes[0], 3, dtype=torch.float64),
        1 + 2 * torch.randn(sizes[1], 3, dtype=torch.float64),
    )
    expected = loop_mmd(x.tolist(), y.tolist(), bandwidth, estimator)

    assert squared_mmd(x, y, bandwidth, estimator).item() == pytest.approx(expected, rel=1e-10)


def test_biased_mmd_is_zero_for_equal_samples_and_never_negative() -> None:
    x = torch.randn(8, 3, dtype=torch.float64)
    assert squared_mmd(x, x, 9.0).item() == pytest.approx(0, abs=1e-15)
    assert draws(50, 8, 3, "biased").min() >= 0


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_a_single_latent_gives_a_finite_value(estimator: Estimator) -> None:
    x, y = torch.tensor([[1.0]]), torch.tensor([[0.0]])
    assert squared_mmd(x, y, 1.0, estimator).item() == pytest.approx(2 - 2 * math.exp(-1))


@pytest.mark.parametrize("dimensions", [2, 10])
def test_unbiased_mean_is_zero_under_equal_distributions(dimensions: int) -> None:
    values = draws(400, 16, dimensions, "unbiased")
    assert abs(values.mean()) < 4 * values.std() / len(values) ** 0.5
    assert values.min() < 0


@pytest.mark.parametrize(("dimensions", "printed"), [(100, 0.001186), (10, 0.0101)])
def test_biased_mean_explains_the_values_of_table_1(dimensions: int, printed: float) -> None:
    # E = (2/m) (1 - k), with k the expected kernel between two standard normal points: a matched
    # posterior's value at the thesis' batch size of 32 is that of CIFAR10 and FashionMNIST.
    values = draws(200, 32, dimensions, "biased")
    k = (1 + 4 / dimensions**2) ** (-dimensions / 2)

    assert abs(values.mean() - 2 / 32 * (1 - k)) < 4 * values.std() / len(values) ** 0.5
    assert printed == pytest.approx(values.mean().item(), rel=0.15)


@pytest.mark.parametrize("samples", [32, 200])
def test_biased_mean_falls_with_the_samples_of_the_prior(samples: int) -> None:
    # E = (1/m + 1/n) (1 - k): more samples of the prior lower it, at any number of images.
    generator = torch.Generator().manual_seed(0)
    shapes = ((32, 10), (samples, 10))
    pairs = [[torch.randn(own, generator=generator) for own in shapes] for _ in range(200)]
    values = torch.stack([squared_mmd(x, y, 100.0) for x, y in pairs])
    expected = (1 / 32 + 1 / samples) * (1 - (1 + 4 / 100) ** -5)
    assert abs(values.mean() - expected) < 4 * values.std() / len(values) ** 0.5


class Counted(MMD):
    """It keeps how many samples of the prior it is given."""

    def __init__(self, prior_samples: int | None) -> None:
        super().__init__(prior_samples=prior_samples)
        self.counts: list[int] = []

    def forward(self, *given: Any) -> Any:
        self.counts.append(len(given[-1]))
        return super().forward(*given)


@pytest.mark.parametrize(("given", "count"), [(None, 6), (1, 1), (200, 200)])
def test_training_and_evaluation_draw_as_many_samples_of_the_prior_as_asked(
    given: int | None, count: int
) -> None:
    model = FlatModel(PlainNetwork((1, 8, 8), 3, [4], [1]), SquaredError())
    objective, images = Counted(prior_samples=given), torch.rand(6, 1, 8, 8)
    prior = draw_noise(model, objective, images)[1]
    assert prior is not None
    assert len(prior) == count
    compute_terms(model, objective, images)
    EvaluationEpoch(model, objective).add(Batch(images, torch.zeros(6)))
    assert objective.counts == [count, count]


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
@pytest.mark.parametrize(
    ("alpha", "lambda_"), [(1.0, 500.0), (0.0, 10.0), (0.25, 3.0), (-1.0, 2.5)]
)
@pytest.mark.parametrize("bandwidth", [None, 2.0])
def test_loss_adds_the_weighted_mmd_and_the_kl(
    alpha: float, lambda_: float, bandwidth: float | None, estimator: Estimator
) -> None:
    images, reconstruction = torch.rand(2, 4, 1, 2, 3, dtype=torch.float64)
    mean, log_variance, noise, prior = torch.randn(4, 4, 3, dtype=torch.float64)
    posterior = DiagonalGaussian(mean, log_variance)
    latents = posterior.rsample(noise)
    objective = MMD(alpha, lambda_, bandwidth, estimator)
    distortion = SquaredError()(images, reconstruction)
    terms = objective(distortion, infer(posterior, latents), prior)
    mmd = loop_mmd(latents.tolist(), prior.tolist(), bandwidth or 9.0, estimator)

    assert terms.extras["mmd"].item() == pytest.approx(mmd, rel=1e-10)
    for i in range(4):
        pixels = zip(
            images[i].flatten().tolist(), reconstruction[i].flatten().tolist(), strict=True
        )
        code = zip(mean[i].tolist(), log_variance[i].tolist(), strict=True)
        kl = sum((m**2 + math.exp(v) - 1 - v) / 2 for m, v in code)
        expected = (
            sum((x - y) ** 2 for x, y in pixels)
            + (1 - alpha) * kl / 3
            + (alpha + lambda_ - 1) * mmd
        )
        assert terms.loss[i].item() == pytest.approx(expected, rel=1e-10)
    assert ("density" in objective.requires) == (alpha != 1)
    assert ("KL" in objective.formula("Rec")) == (alpha != 1)


def test_loss_does_not_depend_on_the_order_of_the_prior_samples() -> None:
    images = torch.rand(4, 1, 2, 3, dtype=torch.float64)
    codes, prior = torch.randn(2, 4, 3, dtype=torch.float64)
    distortion, inferred = SquaredError()(images, images), infer(Point(codes))
    first = MMD()(distortion, inferred, prior).loss
    second = MMD()(distortion, inferred, prior.flip(0)).loss

    torch.testing.assert_close(first, second, rtol=1e-12, atol=0)


def test_gradient_pulls_the_latents_to_the_prior() -> None:
    latents = (5 + torch.randn(32, 4)).requires_grad_()
    squared_mmd(latents, torch.randn(32, 4), 16.0).backward()

    assert latents.grad is not None
    assert (latents.grad.mean(0) > 0).all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"alpha": 1.5}, "alpha=1.5"),
        ({"alpha": 0.0, "lambda_": 0.5}, "lambda_=0.5"),
        ({"bandwidth": 0.0}, "bandwidth=0.0"),
        ({"bandwidth": -1.0}, "bandwidth=-1.0"),
        ({"estimator": "other"}, "estimator=other.*biased, unbiased"),
    ],
)
def test_arguments_out_of_range_are_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=rf"objective\..*{named}"):
        MMD(**arguments)

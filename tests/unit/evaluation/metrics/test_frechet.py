"""The Fréchet distance of two Gaussians."""

import math

import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation.metrics.frechet import frechet_distance, frechet_error


def features(count: int, dimension: int, seed: int = 0) -> Tensor:
    """Correlated, off the origin."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimension, dimension, generator=generator, dtype=torch.float64)
    return torch.randn(count, dimension, generator=generator, dtype=torch.float64) @ mixing + seed


def whitened(count: int, dimension: int) -> Tensor:
    """Mean exactly 0, covariance exactly the identity."""
    x = features(count, dimension)
    basis: Tensor = torch.linalg.qr(x - x.mean(0)).Q
    return basis * math.sqrt(count - 1)


def test_a_shift_alone_is_its_squared_length() -> None:
    x = features(50, 4)
    shift = torch.tensor([1.0, -2.0, 0.5, 3.0])
    assert frechet_distance(x, x + shift) == pytest.approx(float(shift.square().sum()), rel=1e-12)


def test_commuting_covariances_are_compared_by_standard_deviations() -> None:
    x = whitened(60, 3)
    a, b = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([3.0, 0.5, 1.0])
    expected = float((a - b).square().sum())
    assert frechet_distance(x * a, x * b) == pytest.approx(expected, rel=1e-12)
    # Also in other axes, and with other samples of the same covariance.
    rotation = torch.linalg.qr(features(3, 3)).Q
    assert frechet_distance(x * a @ rotation, x.flip(0) * b @ rotation) == pytest.approx(
        expected, rel=1e-12
    )


def test_a_rotated_gaussian_in_the_plane() -> None:
    # In two dimensions tr (C1 C2)^(1/2) = sqrt(tr(C1 C2) + 2 sqrt(det C1 C2)).
    x = whitened(40, 2) * torch.tensor([3.0, 1.0])
    angle = 0.7
    cos, sin = math.cos(angle), math.sin(angle)
    rotation = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    c1 = torch.diag(torch.tensor([9.0, 1.0], dtype=torch.float64))
    c2 = rotation.T @ c1 @ rotation
    root = math.sqrt(float((c1 @ c2).trace()) + 2 * 9)
    assert frechet_distance(x, x @ rotation) == pytest.approx(20 - 2 * root, rel=1e-12)


def test_it_is_that_of_a_matrix_square_root() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    a, b = features(80, 6, seed=1), features(50, 6, seed=2)
    root = torch.from_numpy(linalg.sqrtm((a.T.cov() @ b.T.cov()).numpy()).real)
    expected = (a.mean(0) - b.mean(0)).square().sum() + (a.T.cov() + b.T.cov() - 2 * root).trace()
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("count", [3, 200])
def test_equal_sets_have_no_distance_also_with_singular_covariances(count: int) -> None:
    x = 1e3 * features(count, 30).float()
    x[:, 7:9] = 5
    assert 0 <= frechet_distance(x, x) < 1e-9 * float(x.double().var(0).sum())
    assert 0 <= frechet_distance(x, x.flip(0)) < 1e-9 * float(x.double().var(0).sum())


def test_singular_covariances_in_different_subspaces() -> None:
    # Nothing overlaps: the distance is the sum of the variances.
    x = whitened(10, 4)
    a, b = x * torch.tensor([2.0, 1.0, 0.0, 0.0]), x * torch.tensor([0.0, 0.0, 3.0, 0.0])
    assert frechet_distance(a, b) == pytest.approx(4 + 1 + 9, rel=1e-12)
    assert frechet_distance(a[:, :1], torch.zeros(2, 1)) == pytest.approx(4, rel=1e-12)


def test_one_feature_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="Sets of 5 and 1 features: a covariance takes at least 2"):
        frechet_distance(torch.zeros(5, 2), torch.zeros(1, 2))


def test_the_standard_error_is_the_spread_of_distances_of_new_features() -> None:
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([1.0, 2.0, 0.5])

    def draw() -> tuple[Tensor, Tensor]:
        a, b = torch.randn(2, 400, 3, generator=generator)
        return a, b * scale + 0.5

    pairs = [draw() for _ in range(150)]
    distances = torch.tensor([frechet_distance(*pair) for pair in pairs])
    errors = torch.tensor([frechet_error(*pair) for pair in pairs[:40]])
    assert errors.mean() == pytest.approx(float(distances.std()), rel=0.2)


def test_what_stands_in_the_same_place_is_left_out_together() -> None:
    x = features(400, 3)
    alike, shuffled = x + 0.01 * features(400, 3, seed=1), x.flip(0)
    close, apart = frechet_error(x, alike), frechet_error(x, shuffled + (alike - x))
    assert close is not None
    assert apart is not None
    assert close < apart


def test_few_features_have_no_standard_error() -> None:
    assert frechet_error(features(39, 2), features(100, 2)) is None
    assert frechet_error(features(40, 2), features(40, 2)) == pytest.approx(0, abs=1e-12)

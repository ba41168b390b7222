"""Principal components, against an exact eigendecomposition."""

import pytest
import torch
from torch import Tensor

from reslag_vae.data import Images
from reslag_vae.evaluation import iteration
from reslag_vae.evaluation.metrics.pca import fit_pca, mean_image


def exact_error(train: Tensor, test: Tensor, components: int) -> float:
    """Mean squared error of the best linear code, in float64."""
    mean = train.flatten(1).mean(0)
    axes = torch.linalg.svd(train.flatten(1) - mean, full_matrices=False).Vh[:components].T
    centred = test.flatten(1) - mean
    return float((centred - centred @ axes @ axes.T).square().mean())


@pytest.fixture
def images() -> Tensor:
    """Smooth random 8-bit pictures: their spectrum falls as that of photographs does."""
    frequency = torch.arange(8.0)
    waves = torch.cos(torch.pi * frequency[:, None] * (torch.arange(8.0) + 0.5) / 8)
    amplitudes = torch.randn(300, 3, 8, 8) / (1 + frequency[:, None] ** 2 + frequency**2)
    pictures = 0.5 + 0.1 * waves.T @ amplitudes @ waves
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8)


@pytest.mark.parametrize("components", [1, 5, 20])
def test_it_is_as_good_as_the_exact_components(images: Tensor, components: int) -> None:
    train, test = images[:200] / 255.0, images[200:] / 255.0
    pca = fit_pca(images[:200], components)
    error = float((pca.decode(pca.encode(test)) - test).double().square().mean())
    assert error == pytest.approx(exact_error(train.double(), test.double(), components), rel=1e-4)
    torch.testing.assert_close(pca.axes.T @ pca.axes, torch.eye(components), rtol=0, atol=1e-5)


def test_codes_are_uncorrelated_with_falling_variances(images: Tensor) -> None:
    pca = fit_pca(images, 6)
    covariance = torch.cov(pca.encode(images / 255).double().T)
    variances = covariance.diagonal()
    assert (variances.diff() < 0).all()
    assert (covariance - variances.diag()).abs().max() < 1e-4 * variances[0]


def test_all_components_lose_nothing(images: Tensor) -> None:
    few = images[:20].double() / 255
    pca = fit_pca(few, 20)
    torch.testing.assert_close(pca.decode(pca.encode(few)), few, rtol=0, atol=1e-10)


def test_it_does_not_depend_on_the_chunks(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = images.double() / 255
    whole = fit_pca(exact, 4)
    monkeypatch.setattr(iteration, "CHUNK", 7)
    parts = fit_pca(exact, 4)
    torch.testing.assert_close(parts.axes, whole.axes, rtol=0, atol=1e-9)
    torch.testing.assert_close(parts.mean, whole.mean, rtol=0, atol=1e-12)


def test_a_split_is_read_as_its_tensor_is(images: Tensor) -> None:
    rows = torch.arange(0, 300, 2)
    split = Images(images, torch.zeros(300, dtype=torch.int64), rows)
    torch.testing.assert_close(fit_pca(split, 3).axes, fit_pca(images[rows], 3).axes)
    torch.testing.assert_close(mean_image(split), (images[rows] / 255).mean(0))


@pytest.mark.parametrize(("count", "components"), [(5, 6), (300, 193), (10, 0)])
def test_more_components_than_there_are_is_refused(
    images: Tensor, count: int, components: int
) -> None:
    with pytest.raises(
        ValueError, match=rf"components={components}: {count} images of 192 numbers allow 1 to"
    ):
        fit_pca(images[:count], components)

"""The quality of reconstructions beside the linear limit."""

from collections.abc import Callable

import pytest

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements.reconstruction import reconstruction

MakeSubject = Callable[..., Subject]


def test_reconstructions_stand_beside_the_linear_limit(make_subject: MakeSubject) -> None:
    subject = make_subject()
    numbers = reconstruction(subject)
    x = subject.images.images / 255
    error = (subject.model.reconstruct(x) - x).square()
    assert numbers["mse"].value == pytest.approx(float(error.mean()), rel=1e-5)
    assert numbers["rec"].value == pytest.approx(float(error.flatten(1).sum(1).mean()), rel=1e-5)
    assert numbers["ssim"].value is None
    assert "too small" in numbers["ssim"].protocol
    # Three components hold three patterns: what is left is the noise, which no untrained network
    # reaches.
    assert numbers["pca_mse"].value < 0.01 < numbers["mse"].value
    assert "3 principal components of train, 162 images" in numbers["pca_mse"].protocol

"""Perceptual distances of a run."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import perceptual as module
from reslag_vae.evaluation.measurements.perceptual import perceptual
from reslag_vae.evaluation.numbers import NO_LATENTS
from reslag_vae.likelihoods import PixelCNN
from reslag_vae.models.latent_free import LatentFree

MakeSubject = Callable[..., Subject]


def test_lpips_alone_has_its_error_over_images(
    make_subject: MakeSubject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    distances = torch.linspace(0, 1, 60).double()

    def measured(model: object, images: object, weights: Path, progress: object) -> Tensor:
        assert weights == tmp_path
        return distances

    monkeypatch.setattr(module, "lpips", measured)
    monkeypatch.setattr(module, "inception_distances", lambda *_: pytest.fail("Inception"))
    numbers = perceptual(make_subject(), tmp_path, inception=False)
    assert list(numbers) == ["lpips"]
    assert numbers["lpips"].value == pytest.approx(0.5)
    assert numbers["lpips"].error == pytest.approx(float(distances.std()) / 60**0.5)
    assert "test split, 60 images, posterior means" in numbers["lpips"].protocol


def test_without_latents_there_are_no_reconstructions_to_compare(
    make_subject: MakeSubject, tmp_path: Path
) -> None:
    pixelcnn = PixelCNN((1, 8, 8), "levels", channels=8, layers=2, parameters_per_channel=0)
    subject = make_subject("elbo", model=LatentFree(pixelcnn))
    number = perceptual(subject, tmp_path, inception=False)["lpips"]
    assert (number.value, number.protocol) == (None, NO_LATENTS)

"""The sharpness of a run's reconstructions and samples."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from reslag_vae.data import ImageDataModule, Images
from reslag_vae.data.images import Source
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements.sharpness import (
    NO_DETAIL,
    radial_powers,
    sharpness,
    upper_powers,
)
from reslag_vae.evaluation.metrics.sharpness import values_of_images
from reslag_vae.evaluation.metrics.spectra import spectra
from reslag_vae.evaluation.numbers import NO_LATENTS
from reslag_vae.likelihoods import PixelCNN
from reslag_vae.models.latent_free import LatentFree

MakeSubject = Callable[..., Subject]


class Blank(ImageDataModule):
    """Images of one grey each."""

    name = "blank"
    image_shape = (1, 8, 8)

    def read(self) -> Source:
        greys = torch.arange(80, dtype=torch.uint8)
        images = Images(greys.view(-1, 1, 1, 1).expand(80, 1, 8, 8), torch.full((80,), -1))
        return Source(images, None, images, [])


def test_numbers_are_ratios_of_the_powers_of_the_reference_images(
    make_subject: MakeSubject,
) -> None:
    subject = make_subject(reference=30)
    numbers = sharpness(subject)
    original = spectra([subject.reference.images / 255]).upper
    for name, latents in (
        ("sharpness_reconstructions", subject.codes.means),
        ("sharpness_samples", subject.prior_latents),
    ):
        own = spectra([subject.model.decode(latents)]).upper
        assert numbers[name].value == pytest.approx(float(own.mean() / original.mean()), rel=1e-4)
        assert numbers[name].error is not None
        assert "test split, 30 images, seed 0" in numbers[name].protocol
        assert "Hann window, without the corners above 0.5" in numbers[name].protocol
    assert "30 samples of the prior against" in numbers["sharpness_samples"].protocol
    correlation = numbers["coherence_reconstructions"]
    assert correlation.value is not None
    assert abs(correlation.value) <= 1


def test_what_is_kept_of_each_image_gives_the_numbers_again(make_subject: MakeSubject) -> None:
    subject = make_subject(reference=30)
    kept = {name: torch.from_numpy(own) for name, own in upper_powers(subject).items()}
    values, numbers = values_of_images(kept), sharpness(subject)
    assert values.keys() == numbers.keys()
    for name, own in values.items():
        assert own.shape == (30,)
        assert float(own.mean()) == pytest.approx(numbers[name].value, rel=1e-6, abs=1e-6)


def test_the_spectra_are_means_over_images(make_subject: MakeSubject) -> None:
    subject = make_subject(reference=30)
    found = radial_powers(subject)
    images = {
        "originals": subject.reference.images / 255,
        "reconstructions": subject.model.decode(subject.codes.means),
        "samples": subject.model.decode(subject.prior_latents),
    }
    for source, own in images.items():
        expected = spectra([own]).radial.mean(0).tolist()
        assert found[source] == pytest.approx(expected, rel=1e-4)
        assert len(found["frequencies"]) == len(expected)
    assert found["frequencies"][-1] == 0.5
    assert "test split, 30 images, seed 0" in found["protocol"]


def test_without_latents_samples_alone_are_measured(make_subject: MakeSubject) -> None:
    torch.manual_seed(0)
    pixelcnn = PixelCNN((1, 8, 8), "levels", channels=8, layers=2, parameters_per_channel=0)
    subject = make_subject("elbo", model=LatentFree(pixelcnn), reference=12)
    numbers = sharpness(subject)
    for name in ("sharpness_reconstructions", "coherence_reconstructions"):
        assert (numbers[name].value, numbers[name].protocol) == (None, NO_LATENTS)
    samples = numbers["sharpness_samples"]
    assert samples.value is not None
    assert samples.value > 0
    assert "one sample each, since likelihood=pixelcnn has no mean" in samples.protocol
    assert set(upper_powers(subject)) == {"upper_power_originals", "upper_power_samples"}
    assert "reconstructions" not in radial_powers(subject)


def test_blank_images_have_no_sharpness(make_subject: MakeSubject, tmp_path: Path) -> None:
    data = Blank(tmp_path, 16, 0.1, 0)
    data.setup()
    for number in sharpness(make_subject(data=data)).values():
        assert (number.value, number.error, number.protocol) == (None, None, NO_DETAIL)

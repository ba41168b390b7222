"""What is measured of a PixelCNN as a likelihood, with latents and without."""

from collections.abc import Callable

import pytest
import torch

from reslag_vae.evaluation import pictures
from reslag_vae.evaluation.codes import decode, decode_alike
from reslag_vae.evaluation.context import Subject
from reslag_vae.evaluation.measurements import measure
from reslag_vae.evaluation.metrics.collapse import diagnose
from reslag_vae.evaluation.numbers import NO_LATENTS
from reslag_vae.evaluation.pictures import RatePoint, gallery
from reslag_vae.evaluation.pictures.blocks import wrapped
from reslag_vae.evaluation.pictures.gallery import RunMaterial
from reslag_vae.evaluation.pictures.material import model_material
from reslag_vae.evaluation.pictures.single import other_latents
from reslag_vae.evaluation.record import diagnosis_of
from reslag_vae.likelihoods import PixelCNN
from reslag_vae.models import FlatModel, LatentFree
from reslag_vae.networks import LinearNetwork

SHAPE = (1, 8, 8)
MakeSubject = Callable[..., Subject]


def likelihood(per_channel: int) -> PixelCNN:
    torch.manual_seed(1)
    return PixelCNN(SHAPE, "levels", 8, 2, 3, parameters_per_channel=per_channel)


def with_latents(strength: float) -> FlatModel:
    """A model whose decoder uses its two latents more or less, or not at all."""
    torch.manual_seed(2)
    network = LinearNetwork(SHAPE, 2, [4], [1], parameters_per_channel=2)
    model = FlatModel(network, likelihood(2))
    with torch.no_grad():
        for layer in model.likelihood.network.gated_layers():
            layer.context.weight.mul_(strength)
    return model


def test_with_latents_images_are_samples_and_every_protocol_says_so(
    make_subject: MakeSubject,
) -> None:
    subject = make_subject("elbo", model=with_latents(1.0))
    numbers = measure(subject)

    for name in ("rec", "mse", "psnr"):
        protocol = numbers["reconstruction"][name].protocol
        assert "one sample each, since likelihood=pixelcnn has no mean" in protocol
    assert "given the pixels before it" in numbers["thesis"]["rec"].protocol
    bound, elbo = (numbers["likelihood"][name] for name in ("importance_weighted_bound", "elbo"))
    assert bound.value is not None
    assert elbo.value is not None
    assert bound.value >= elbo.value
    assert "4 samples of each posterior" in bound.protocol
    assert numbers["likelihood"]["bits_per_dim"].value == pytest.approx(
        -bound.value / (64 * torch.log(torch.tensor(2.0)).item()), rel=1e-6
    )


def test_without_latents_the_likelihood_is_exact_and_the_rest_says_why_not(
    make_subject: MakeSubject,
) -> None:
    subject = make_subject("elbo", model=LatentFree(likelihood(0)))
    numbers = measure(subject)

    exact = numbers["likelihood"]
    assert exact["importance_weighted_bound"] == exact["elbo"]
    for exactly in (exact["elbo"], numbers["thesis"]["total"], numbers["yardstick"]["elbo"]):
        assert "exact, since there are no latents" in exactly.protocol
        assert "posterior" not in exactly.protocol
    for group in ("reconstruction", "latent", "classes"):
        for number in numbers[group].values():
            assert (number.value, number.protocol) == (None, NO_LATENTS)
    assert numbers["samples"]["classifier_frechet_prior"].value is not None
    assert numbers["samples"]["classifier_frechet_mixture"].protocol == NO_LATENTS
    assert diagnosis_of(subject) is None


@pytest.mark.parametrize(
    ("strength", "begins"), [(0.0, "COLLAPSED: of 2 latent dimensions 2 ignored"), (200.0, None)]
)
def test_the_verdict_asks_the_decoder_for_its_samples(
    strength: float, begins: str | None, make_subject: MakeSubject
) -> None:
    """The encoder says N(0, I) of every image; what the decoder makes of the latent decides."""
    model = with_latents(strength)
    with torch.no_grad():
        for parameter in list(model.network.inference.parameters())[-2:]:
            parameter.zero_()
    subject = make_subject("elbo", model=model)
    diagnosis = diagnose(subject.model, subject.codes, subject.likelihood)

    assert not diagnosis.active.any()
    assert bool(diagnosis.ignored.all()) == (begins is not None)
    if begins is None:
        assert diagnosis.lagging.all()
        assert "2 used by the decoder and not by the encoder" in diagnosis.verdict
    else:
        assert diagnosis.verdict.startswith(begins)


@pytest.mark.parametrize("strength", [0.0, 200.0])
def test_a_decoder_that_ignores_the_latent_draws_the_same_without_it(
    strength: float, make_subject: MakeSubject
) -> None:
    originals, drawn = other_latents(make_subject("elbo", model=with_latents(strength)))
    own, other = drawn.values()

    assert originals.shape == own.shape == other.shape
    assert torch.equal(own, other) == (strength == 0)


def test_a_walk_of_the_same_code_is_the_same_image_all_along(make_subject: MakeSubject) -> None:
    model = make_subject("elbo", model=with_latents(1.0)).model
    images = decode_alike(model, torch.zeros(4, 2))
    assert torch.equal(images, images[:1].expand_as(images))
    assert not torch.equal(decode(model, torch.zeros(4, 2)), images)


def test_pictures_of_samples_say_so_and_none_is_called_the_best(
    make_subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make_subject("elbo", model=with_latents(1.0))
    point = RatePoint("PixelVAE", 2.0, 3.0, None)
    material = RunMaterial(model_material(subject, 0), [], 2, [], point, None, has_mean=False)
    said: list[str] = []
    monkeypatch.setattr(pictures, "reconstructions", lambda originals, models: said.extend(models))
    drawn = dict(gallery.comparison({"a": material, "b": material._replace(has_mean=True)}))
    assert said == ["samples: a", "b"]
    # However long the title is.
    assert "samples:" in wrapped(material.titled("Skip-VAE, elbo, pixelcnn, lagging, the second"))
    # Rec of one-step means is no distortion of a code.
    assert "rate_distortion" not in drawn
    single = dict(gallery.single_model(subject, []))
    assert "other_latents" in single
    assert "extremes" not in single

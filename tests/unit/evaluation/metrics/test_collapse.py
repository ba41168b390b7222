"""The diagnosis, on a model of which the truth is known."""

from typing import Any

import pytest
import torch
from torch import Tensor

from reslag_vae.evaluation.adapters import EncoderDecoder
from reslag_vae.evaluation.codes import encode
from reslag_vae.evaluation.metrics.aggregate import aggregate_posterior
from reslag_vae.evaluation.metrics.collapse import diagnose, precision
from reslag_vae.likelihoods import Bernoulli


def silenced(linear: Any, dimensions: list[int]) -> EncoderDecoder:
    """The exact encoder, but that it says N(0, 1) of some dimensions for every image."""

    def posterior(images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = (part.clone() for part in linear.posterior(images))
        mean[:, dimensions] = log_variance[:, dimensions] = 0.0
        return mean, log_variance

    return EncoderDecoder(posterior, linear.decode)


@pytest.mark.parametrize(
    ("ignored_by_decoder", "silent_encoder", "ignored", "lagging", "words"),
    [
        ([], [], [], [], "no collapse: all 3 latent dimensions are used"),
        (
            [2],
            [],
            [2],
            [],
            "some units idle: of 3 latent dimensions 1 ignored by the decoder (model collapse)",
        ),
        (
            [],
            [1],
            [],
            [1],
            "some units idle: of 3 latent dimensions 1 used by the decoder and not by the encoder",
        ),
        (
            [2],
            [1, 2],
            [2],
            [1],
            "partly collapsed: of 3 latent dimensions 1 ignored by the decoder (model",
        ),
        (
            [0, 1, 2],
            [0, 1, 2],
            [0, 1, 2],
            [],
            "COLLAPSED: of 3 latent dimensions 3 ignored by the decoder",
        ),
        (
            [],
            [0, 1, 2],
            [],
            [0, 1, 2],
            "COLLAPSED: of 3 latent dimensions 3 used by the decoder and not",
        ),
    ],
)
def test_the_kind_of_collapse_is_told(
    ignored_by_decoder: list[int],
    silent_encoder: list[int],
    ignored: list[int],
    lagging: list[int],
    words: str,
    linear: Any,
) -> None:
    linear.weight[:, ignored_by_decoder] = 0.0
    model = silenced(linear, silent_encoder)
    diagnosis = diagnose(model, encode(model, linear.images(400)), linear.sigma2)

    assert diagnosis.ignored.nonzero()[:, 0].tolist() == ignored
    assert diagnosis.lagging.nonzero()[:, 0].tolist() == lagging
    assert diagnosis.active.tolist() == [j not in ignored + lagging for j in range(3)]
    assert diagnosis.verdict.startswith(words)


@pytest.mark.parametrize(("count", "dimensions"), [(30, 32), (200, 100)])
def test_neither_few_images_nor_many_dimensions_mislead_it(count: int, dimensions: int) -> None:
    # A decoder that uses every dimension, and an encoder that says N(0, I): pure inference
    # collapse.
    directions = torch.linalg.qr(torch.randn(256, dimensions, dtype=torch.float64)).Q
    nothing = torch.zeros(count, dimensions, dtype=torch.float64)
    model = EncoderDecoder(
        lambda x: (nothing, nothing), lambda z: (z @ directions.T).view(-1, 1, 16, 16)
    )
    diagnosis = diagnose(model, encode(model, torch.zeros(count, 1, 16, 16).double()), 0.5)
    assert diagnosis.lagging.all()


def test_what_an_image_tells_of_a_dimension_is_exact_for_a_linear_model(linear: Any) -> None:
    latents = torch.randn(20_000, 3, dtype=torch.float64)
    for j in range(3):
        value = precision(linear.exact(), latents, j, linear.sigma2)
        assert value == pytest.approx(float(linear.signal[j]), rel=0.05)
        # Of p(z|x) the variance is 1 / (1 + precision), so that its mean varies by the rest of the
        # prior's.
        variance = linear.exact().posterior(linear.images(20_000)).mean[:, j].var()
        assert float(variance) == pytest.approx(value / (1 + value), rel=0.05)


def test_what_is_drawn_is_independent_of_the_codes() -> None:
    # A decoder of the product of two idle dimensions: what one does is measured at the codes of the
    # other.
    def nothing(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.new_zeros(len(x), 2), x.new_zeros(len(x), 2)

    model = EncoderDecoder(nothing, lambda z: z.prod(1).view(-1, 1, 1, 1))
    codes = encode(model, torch.zeros(3000, 1, 1, 1).double(), seed=0)
    for j in range(2):
        assert precision(model, codes.latents, j, 1.0, seed=0) == pytest.approx(1.0, rel=0.15)


def test_a_common_offset_is_no_activity(linear: Any) -> None:
    offset = torch.full((50, 3), 3.0).double()
    model = EncoderDecoder(lambda x: (offset, 0 * offset), linear.decode)
    assert not diagnose(model, encode(model, linear.images(50)), linear.sigma2).active.any()


def test_points_are_refused(linear: Any) -> None:
    model = EncoderDecoder(lambda x: x.flatten(1)[:, :3], linear.decode)
    with pytest.raises(ValueError, match="could collapse onto the prior"):
        diagnose(model, encode(model, linear.images(5)), linear.sigma2)
    codes = encode(model, linear.images(5))
    with pytest.raises(ValueError, match="aggregate of points has no density"):
        aggregate_posterior(codes.posterior, codes.latents)


def test_a_bernoulli_decoder_is_asked_by_its_probabilities() -> None:
    # A step in the first latent from one probability to another, and nothing in the second.
    low, high = -1.0, 2.0

    def logits(z: Tensor) -> Tensor:
        return torch.where(z[:, :1] > 0, high, low).double().view(-1, 1, 1, 1)

    def nothing(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.new_zeros(len(x), 2), x.new_zeros(len(x), 2)

    model = EncoderDecoder(nothing, logits, likelihood=Bernoulli())
    codes = encode(model, torch.zeros(4000, 1, 1, 1).double())
    one, other = torch.tensor([low, high]).double().sigmoid().tolist()
    both = (other - one) * (high - low) / 2  # half of KL(p || q) + KL(q || p)
    # Two draws lie on different sides of 0 every other time.
    assert precision(model, codes.latents, 0, None) == pytest.approx(both / 2, rel=0.05)
    assert precision(model, codes.latents, 1, None) == 0
    diagnosis = diagnose(model, codes, None)
    assert (diagnosis.lagging.tolist(), diagnosis.ignored.tolist()) == (
        [True, False],
        [False, True],
    )

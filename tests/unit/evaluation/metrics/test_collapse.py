"""The diagnosis, on a model of which the truth is known."""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reslag_vae.evaluation.adapters import EncoderDecoder
from reslag_vae.evaluation.codes import Codes, encode
from reslag_vae.evaluation.metrics.aggregate import aggregate_posterior
from reslag_vae.evaluation.metrics.collapse import diagnose, precision, prior_pairs
from reslag_vae.evaluation.progress import Advance, silent
from reslag_vae.latents import MixturePrior, Prior
from reslag_vae.likelihoods import Bernoulli, FixedVariance, Gaussian
from reslag_vae.models import FlatModel
from reslag_vae.networks import Network


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


@pytest.mark.parametrize(
    ("decoder", "scale", "silent_encoder", "words"),
    [
        (0.0, 1.0, [], "COLLAPSED: the decoder ignores the 3 dimensions that the encoder uses"),
        (
            0.0,
            1.0,
            [1],
            "COLLAPSED: the decoder ignores the 2 dimensions that the encoder uses; of 3 latent "
            "dimensions 1 ignored by the decoder (model collapse)",
        ),
        (1.0, 0.15, [], "COLLAPSED: KL 0.03 nats say nothing of the image"),
    ],
)
def test_a_latent_of_active_dimensions_may_say_nothing(
    decoder: float, scale: float, silent_encoder: list[int], words: str, linear: Any
) -> None:
    """As under free bits, which let an encoder use what its decoder ignores."""
    generator = torch.Generator().manual_seed(0)
    means = scale * torch.randn(400, 3, generator=generator, dtype=torch.float64)
    means[:, silent_encoder] = 0.0
    model = EncoderDecoder(lambda x: (means, 0 * means), lambda z: decoder * linear.decode(z))
    diagnosis = diagnose(model, encode(model, linear.images(400)), linear.sigma2)

    assert diagnosis.active.tolist() == [j not in silent_encoder for j in range(3)]
    assert diagnosis.verdict == words


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
        value = precision(linear.exact(), latents, [j], linear.sigma2)
        assert value == pytest.approx(float(linear.signal[j]), rel=0.05)
        # Of p(z|x) the variance is 1 / (1 + precision), so that its mean varies by the rest of the
        # prior's.
        variance = linear.exact().posterior(linear.images(20_000)).mean[:, j].var()
        assert float(variance) == pytest.approx(value / (1 + value), rel=0.05)


def test_of_several_dimensions_it_is_the_mean_for_a_linear_model(linear: Any) -> None:
    latents = torch.randn(20_000, 3, dtype=torch.float64)
    for dimensions in ([0, 2], [0, 1, 2]):
        value = precision(linear.exact(), latents, dimensions, linear.sigma2)
        assert value == pytest.approx(float(linear.signal[dimensions].mean()), rel=0.05)


def test_very_many_idle_dimensions_are_asked_level_by_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The decoder sees the first level alone, and the encoder one dimension of it.
    def decode(z: Tensor) -> Tensor:
        return z[:, :3].view(-1, 1, 1, 3)

    def encode_first(x: Tensor) -> tuple[Tensor, Tensor]:
        means = torch.cat([x.flatten(1)[:, :1], x.new_zeros(len(x), 4)], dim=1)
        return means, torch.zeros_like(means)

    model = EncoderDecoder(encode_first, decode)
    images = torch.rand(400, 1, 1, 3).double()
    codes = encode(model, images)._replace(level_dims=(3, 2))
    asked: list[str] = []

    def progress(task: str, total: int | None) -> AbstractContextManager[Advance]:
        asked.append(task)
        return silent(task, total)

    one_by_one = diagnose(model, codes, 1.0, progress=progress)
    monkeypatch.setattr("reslag_vae.evaluation.metrics.collapse.MOST", 3)
    together = diagnose(model, codes, 1.0, progress=progress)
    alone = [f"dimension {number}" for number in (2, 3, 4, 5)]
    active = "dimension 1"
    assert asked == [*alone, active, "dimension 2 and 1 more", "dimension 4 and 1 more", active]
    for diagnosis in (one_by_one, together):
        assert diagnosis.active.tolist() == [True] + 4 * [False]
        assert diagnosis.lagging.tolist() == [False, True, True, False, False]
        assert diagnosis.ignored.tolist() == [False, False, False, True, True]


def test_what_is_drawn_is_independent_of_the_codes() -> None:
    # A decoder of the product of two idle dimensions: what one does is measured at the codes of the
    # other.
    def nothing(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.new_zeros(len(x), 2), x.new_zeros(len(x), 2)

    model = EncoderDecoder(nothing, lambda z: z.prod(1).view(-1, 1, 1, 1))
    codes = encode(model, torch.zeros(3000, 1, 1, 1).double(), seed=0)
    for j in range(2):
        assert precision(model, codes.latents, [j], 1.0, seed=0) == pytest.approx(1.0, rel=0.15)


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
    assert precision(model, codes.latents, [0], None) == pytest.approx(both / 2, rel=0.05)
    assert precision(model, codes.latents, [1], None) == 0
    diagnosis = diagnose(model, codes)
    assert (diagnosis.lagging.tolist(), diagnosis.ignored.tolist()) == (
        [True, False],
        [False, True],
    )


class Zeros(nn.Module):
    """The encoder that says N(0, I) for every image of two latent dimensions."""

    def forward(self, images: Tensor) -> Tensor:
        return images.new_zeros(len(images), 4)


class Line(Network):
    """A linear decoder of two latent dimensions into three pixels."""

    name = "line"

    def __init__(self, weight: Tensor) -> None:
        decoder = nn.Linear(2, 3, bias=False)
        super().__init__(
            Zeros(), nn.Sequential(decoder, nn.Unflatten(1, (1, 1, 3))), (1, 1, 3), 2, 2, 1
        )
        decoder.weight = nn.Parameter(weight)


def line_model(prior: Prior | None = None) -> FlatModel:
    # Weights so small that the sigmoid behind them is a line of slope 1/4.
    weight = torch.tensor([[0.004, 0.0], [0.0, 0.04], [0.0, 0.03]])
    return FlatModel(Line(weight), Gaussian(FixedVariance(1e-4)), prior=prior)


def wide_and_narrow() -> MixturePrior:
    """Two components, wide in the first dimension and narrow in the second."""
    prior = MixturePrior(2, 2)
    with torch.no_grad():
        prior.means.copy_(torch.tensor([[-4.0, 0.01], [8.0, -0.02]]))
        log_variances = 2 * torch.tensor([[3.0, 0.05], [1.0, 0.02]]).log()
        # The prior bounds them by 20 tanh(raw / 20).
        prior.log_variances.copy_(20 * torch.atanh(log_variances / 20))
        prior.logits.copy_(torch.tensor([2 / 3, 1 / 3]).log())
    return prior


def test_a_dimension_is_drawn_from_the_models_own_prior() -> None:
    model = line_model(wide_and_narrow())
    latents = torch.zeros(40_000, 2)
    # Of a mixture the variance is that of its means and that within its components; these have
    # the mean 0.
    variances = [
        2 / 3 * (4**2 + 3**2) + 1 / 3 * (8**2 + 1**2),
        2 / 3 * (0.01**2 + 0.05**2) + 1 / 3 * (0.02**2 + 0.02**2),
    ]
    signals = [(0.004 / 4) ** 2 / 1e-4, (0.05 / 4) ** 2 / 1e-4]
    for j, (variance, signal) in enumerate(zip(variances, signals, strict=True)):
        pairs = prior_pairs(model, latents, [j], seed=3)[..., 0]
        assert float(pairs.var()) == pytest.approx(variance, rel=0.02)
        assert float(torch.corrcoef(pairs)[0, 1]) == pytest.approx(0, abs=0.02)
        assert precision(model, latents, [j], None, seed=3) == pytest.approx(
            signal * variance, rel=0.02
        )


def test_the_verdict_is_that_of_the_spread_of_the_prior() -> None:
    images = torch.zeros(400, 1, 1, 3)
    learned, standard = line_model(wide_and_narrow()), line_model()
    one, other = (diagnose(model, encode(model, images), None) for model in (learned, standard))
    assert (one.lagging.tolist(), one.ignored.tolist()) == ([True, False], [False, True])
    # In the units of N(0, 1) the decoder uses the other one.
    assert (other.lagging.tolist(), other.ignored.tolist()) == ([False, True], [True, False])


@pytest.mark.parametrize("scale", [0.05, 1.0, 40.0])
def test_a_diagnosis_does_not_depend_on_the_scale_of_the_latents(scale: float) -> None:
    prior = MixturePrior(2, 2)
    with torch.no_grad():
        prior.means.copy_(scale * torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
        prior.log_variances.fill_(-18.0)
    model = line_model(prior)
    # The means vary by 0.25 and by 0.0025 of the prior's variance.
    means = scale * torch.tensor([[0.5, 0.05]]) * torch.tensor([[-1.0], [1.0]]).repeat(10, 1)
    spread = model.prior().variance.detach().expand_as(means)
    codes = Codes(means, means, rates=torch.ones(20), prior_variances=spread)

    assert diagnose(model, codes, None).active.tolist() == [True, False]
    assert encode(model, torch.rand(5, 1, 1, 3)).prior_variance.tolist() == pytest.approx(
        spread[0].tolist(), rel=1e-6
    )


def test_under_a_standard_normal_the_samples_depend_on_seed_and_dimension_alone() -> None:
    latents = torch.zeros(7, 2)
    foreign = EncoderDecoder(lambda x: x.flatten(1), lambda z: z.view(-1, 1, 1, 2))
    for j in range(2):
        numbers = np.random.default_rng([5, j]).standard_normal((2, 7))
        for model in (line_model(), foreign):
            expected = torch.from_numpy(numbers).float()
            assert torch.equal(prior_pairs(model, latents, [j], seed=5)[..., 0], expected)

"""Codes of images, and images of codes."""

from typing import Any

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from reslag_vae.data import Images
from reslag_vae.evaluation import iteration
from reslag_vae.evaluation.adapters import EncoderDecoder
from reslag_vae.evaluation.codes import decode, encode
from reslag_vae.evaluation.iteration import chunks, device_of, evaluating
from reslag_vae.evaluation.metrics.bounds import importance_weighted_bound
from reslag_vae.evaluation.metrics.collapse import diagnose
from reslag_vae.evaluation.metrics.quality import reconstruction_quality
from reslag_vae.latents import DiagonalGaussian, Point
from reslag_vae.likelihoods import Bernoulli, FixedVariance, Gaussian
from reslag_vae.models import FlatModel
from tests.systems import make_model


def test_codes_are_those_of_the_model_in_evaluation_mode(make_network: Any) -> None:
    model = make_model(make_network())
    images = torch.randint(256, (9, 1, 8, 8), dtype=torch.uint8)
    codes = encode(model, images)
    assert model.training
    expected = model.eval().posterior_of(images / 255)
    assert isinstance(codes.posterior, DiagonalGaussian)
    torch.testing.assert_close(codes.means, expected.mean)
    assert not codes.means.requires_grad
    # Standardised, the samples are standard normal noise.
    noise = (codes.latents - codes.means) * (-codes.posterior.log_variance / 2).exp()
    assert 0.4 < float(noise.square().mean()) < 2.0


def test_samples_depend_on_the_seed_and_not_on_the_chunks(
    linear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = linear.images(11)
    whole, other = encode(linear.exact(), images, seed=3), encode(linear.exact(), images, seed=4)
    monkeypatch.setattr(iteration, "CHUNK", 2)
    parts = encode(linear.exact(), images, seed=3)
    torch.testing.assert_close(parts.latents, whole.latents, rtol=1e-12, atol=1e-12)
    assert not torch.equal(other.latents, whole.latents)
    assert torch.equal(other.means, whole.means)


def test_a_point_is_its_own_sample(make_network: Any) -> None:
    model = make_model(make_network(parameters_per_latent=1), "reconstruction")
    codes = encode(model, torch.rand(5, 1, 8, 8))
    assert codes.posterior is codes.log_variances is codes.kls is codes.rates is None
    assert torch.equal(codes.latents, codes.means)


def test_decoding_in_chunks_is_decoding(make_network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(make_network()).eval()
    latents = torch.randn(7, 3)
    monkeypatch.setattr(iteration, "CHUNK", 3)
    torch.testing.assert_close(decode(model, latents), model.decode(latents).detach())


@pytest.mark.parametrize("size", [1, 4, 100])
def test_chunks_are_all_images_in_order(size: int) -> None:
    images = torch.randint(256, (10, 1, 2, 2), dtype=torch.uint8)
    rows = torch.tensor([3, 1, 7, 0, 9])
    for given, expected in (
        (images, images),
        (Images(images, torch.zeros(10), rows), images[rows]),
    ):
        parts = list(chunks(given, torch.device("cpu"), size))
        assert max(len(part) for part in parts) <= size
        torch.testing.assert_close(torch.cat(parts), expected / 255)


def test_progress_counts_every_image(linear: Any) -> None:
    seen: list[int] = []

    class Bar:
        def __call__(self, task: str, total: int) -> "Bar":
            seen.append(-total)
            return self

        def __enter__(self) -> Any:
            return seen.append

        def __exit__(self, *_: object) -> None: ...

    codes = encode(linear.exact(), linear.images(1030), progress=Bar())
    assert seen[0] == -1030
    assert sum(seen[1:]) == 1030
    seen.clear()
    decode(linear.exact(), codes.means, progress=Bar())
    assert seen[0] == -1030
    assert sum(seen[1:]) == 1030


def test_a_foreign_pair_is_a_model(linear: Any) -> None:
    model = EncoderDecoder(torch.nn.Linear(4, 2), torch.nn.Linear(2, 4))
    assert isinstance(model.posterior(torch.rand(3, 4)), Point)
    assert isinstance(linear.exact().posterior(linear.images(2)), DiagonalGaussian)
    assert len(list(model.parameters())) == 4
    assert device_of(model) == torch.device("cpu")
    assert device_of(linear.exact()) == torch.device("cpu")


def test_methods_of_a_foreign_module_bring_it_along() -> None:
    class Foreign(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop, self.norm = torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(3)

        def encode(self, images: torch.Tensor) -> torch.Tensor:
            return self.drop(self.norm(images.flatten(1)[:, :3]))

        def decode(self, latents: torch.Tensor) -> torch.Tensor:
            return latents

    foreign, images = Foreign(), torch.rand(20, 1, 2, 2)
    before = foreign.norm.running_mean.clone()
    model = EncoderDecoder(foreign.encode, foreign.decode)
    assert torch.equal(encode(model, images).means, encode(model, images).means)
    assert torch.equal(foreign.norm.running_mean, before)
    assert foreign.training
    closed = EncoderDecoder(lambda x: foreign.encode(x), foreign.norm, [foreign])
    assert {id(p) for p in closed.parameters()} == {id(p) for p in foreign.parameters()}


@pytest.mark.parametrize(("numbers", "size"), [(784, 512), (3072, 341), (12288, 85), (10**7, 1)])
def test_fewer_images_go_through_a_network_the_larger_they_are(
    numbers: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert iteration.chunk_size(numbers, torch.device("cpu")) == size
    gpu = torch.device("cuda")
    monkeypatch.setattr(iteration, "free_memory", lambda _: 140 * 2**30)
    assert iteration.chunk_size(numbers, gpu) == max(1, min(8192, 16 * 2**20 // numbers))
    monkeypatch.setattr(iteration, "free_memory", lambda _: 16 * 2**30)
    assert iteration.chunk_size(numbers, gpu) == max(1, min(8192, 2 * 2**20 // numbers))


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_left_as_it_was_also_after_an_error(training: bool) -> None:
    model = EncoderDecoder(torch.nn.Linear(4, 2), torch.nn.Dropout()).train(training)
    with evaluating(model):
        assert not model.decoder.training
        assert not torch.is_grad_enabled()
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert model.training == training
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (lambda x: {"mean": x}, "gives dict, not codes or a pair"),
        (lambda x: (x, x, x), "gives tuple"),
        (lambda x: (x.flatten(1), 1.0), "gives tuple"),
        (lambda x: x, r"gives \(3, 1, 4, 4\) for 3 images"),
        (
            lambda x: (x.flatten(1), x.flatten(1)[:, :2]),
            r"gives \(3, 16\) and \(3, 2\) for 3 images",
        ),
        (lambda x: x.flatten(1)[:2], r"gives \(2, 16\) for 3 images"),
    ],
)
def test_what_are_no_codes_is_told(encoder: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"The encoder {message}"):
        encode(EncoderDecoder(encoder, lambda z: z), torch.rand(3, 1, 4, 4))


def test_what_are_no_decoded_images_is_told() -> None:
    model = EncoderDecoder(lambda x: (x.flatten(1), x.flatten(1)), lambda z: z)
    with pytest.raises(ValueError, match=r"The decoder gives \(1, 16\) for 1 latents"):
        decode(model, torch.rand(1, 16))
    model = EncoderDecoder(lambda x: (x.flatten(1), x.flatten(1)), lambda z: z.view(-1, 1, 2, 8))
    with pytest.raises(ValueError, match=r"gives images of \(1, 2, 8\) for images of \(1, 4, 4\)"):
        importance_weighted_bound(model, torch.rand(3, 1, 4, 4), 2, 0.1)


@pytest.mark.parametrize("sigma2", [0.0, -1.0, float("nan")])
def test_a_variance_that_is_not_positive_is_refused(linear: Any, sigma2: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        importance_weighted_bound(linear.exact(), linear.images(2), 2, sigma2)


@pytest.mark.parametrize("foreign", [False, True])
def test_what_measures_a_model_leaves_the_global_random_state(
    foreign: bool, linear: Any, make_network: Any
) -> None:
    model = linear.exact() if foreign else FlatModel(make_network(), Gaussian(FixedVariance(0.1)))
    images = linear.images(9) if foreign else torch.rand(9, 1, 8, 8)
    codes = encode(model, images)
    fresh = linear.exact() if foreign else model
    state = torch.random.get_rng_state()
    for measured in (
        lambda: encode(fresh, images),
        lambda: reconstruction_quality(fresh, images),
        lambda: importance_weighted_bound(fresh, images, 3, 0.1),
        lambda: diagnose(fresh, codes._replace(means=0 * codes.means), 0.1),
    ):
        measured()
        assert torch.equal(torch.random.get_rng_state(), state)


def test_a_foreign_pair_infers_as_a_model_does(linear: Any) -> None:
    images, noise = linear.images(4), torch.randn(12, 3, dtype=torch.float64)
    inferred = linear.exact().infer(images, (noise,))
    mean, log_variance = linear.posterior(images)
    own = Normal(mean.repeat_interleave(3, 0), (log_variance / 2).exp().repeat_interleave(3, 0))
    # Three samples of each image, next to each other.
    latents = own.mean + own.stddev * noise
    torch.testing.assert_close(inferred.code, latents)
    ratio = Normal(0, 1).log_prob(latents) - own.log_prob(latents)
    torch.testing.assert_close(inferred.log_ratio(), ratio.sum(1))
    kl = kl_divergence(own, Normal(torch.zeros(3).double(), torch.ones(3).double()))
    torch.testing.assert_close(inferred.rate(), kl.sum(1))
    torch.testing.assert_close(linear.exact().parameters_at(latents), linear.decode(latents))


def test_a_foreign_pair_of_codes_alone_has_no_rate() -> None:
    model = EncoderDecoder(torch.nn.Flatten(), torch.nn.Identity())
    inferred = model.infer(torch.rand(3, 1, 2, 2))
    assert not inferred.has_density
    assert inferred.rate() is None
    assert inferred.kls == (None,)
    codes = encode(model, torch.rand(3, 1, 2, 2))
    assert codes.rates is codes.posterior is None


def test_a_foreign_pair_decodes_to_the_means_of_its_likelihood() -> None:
    logits = torch.randn(3, 4)
    model = EncoderDecoder(
        torch.nn.Flatten(), lambda z: z.view(-1, 1, 2, 2), likelihood=Bernoulli()
    )
    torch.testing.assert_close(model.parameters_at(logits), logits.view(-1, 1, 2, 2))
    torch.testing.assert_close(model.decode(logits), logits.sigmoid().view(-1, 1, 2, 2))

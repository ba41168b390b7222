"""The model of a very deep network, which has several levels of latents at each resolution."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reslag_vae.latents import (
    DiagonalGaussian,
    GaussianPosterior,
    PosteriorDensity,
    StandardNormal,
)
from reslag_vae.likelihoods import Bernoulli
from reslag_vae.models import HierarchicalModel
from reslag_vae.networks import VeryDeepNetwork

SHAPE = (1, 13, 9)  # halved to 7 x 5 and 4 x 3
LEVELS = [1, 2, 2]
DIMS = (3, 3, 2 * 4 * 3, 2 * 4 * 3, 2 * 7 * 5)
OPTIONS = {"latent_dim": 3, "stage_levels": LEVELS, "width": 6, "local_channels": 2}
Shape = tuple[int, int, int]


def make_model(posterior: type[GaussianPosterior] = GaussianPosterior) -> HierarchicalModel:
    """A model whose levels say something of each other, as those of a trained one."""
    torch.manual_seed(0)
    network = VeryDeepNetwork(SHAPE, **OPTIONS)
    with torch.no_grad():
        for own in network.parameters():
            own.mul_(2)
    return HierarchicalModel(network, Bernoulli(), posterior(), StandardNormal(3)).eval()


def draw_images(count: int = 5, shape: Shape = SHAPE) -> Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1)).round()


def noise_for(count: int, seed: int = 2) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(count, width, generator=generator) for width in DIMS)


@pytest.mark.parametrize(
    ("shape", "levels", "dims"),
    [
        ((1, 28, 28), None, (5, 5, *[49] * 4, *[196] * 4)),
        ((3, 32, 32), None, (5, 5, *[16] * 4, *[64] * 4, *[256] * 4)),
        ((3, 64, 64), None, (5, 5, *[16] * 4, *[64] * 4, *[256] * 4, *[1024] * 4)),
        ((1, 28, 28), [3, 1], (5, *[196] * 3)),
        ((1, 13, 9), None, (5, 5, *[35] * 4)),
        ((2, 5, 3), [2, 2], (5, 5, 6, 6)),
        ((3, 2, 7), [2, 2], (5, 5, 4, 4)),
        ((2, 17, 30), [1, 2, 1, 1], (5, 3 * 4, 5 * 8, 5 * 8, 9 * 15)),
    ],
)
@torch.no_grad()
def test_levels_follow_the_image_s_shape(
    shape: Shape, levels: list[int] | None, dims: tuple[int, ...]
) -> None:
    network = VeryDeepNetwork(shape, 5, levels, width=4, local_channels=1)
    model = HierarchicalModel(network, Bernoulli(), GaussianPosterior(), StandardNormal(5)).eval()
    images = draw_images(2, shape)

    assert model.level_dims == dims
    assert [own.shape[1] for own in model.infer(images).latents] == list(dims)
    assert model.reconstruct(images).shape == model.sample(2).shape == images.shape


@torch.no_grad()
def test_the_passes_of_inference_and_of_generation_are_the_same() -> None:
    model, noise = make_model(), noise_for(5)
    inferred, parameters = model.infer_and_decode(draw_images(), noise)
    assert torch.equal(model.parameters_of(inferred.latents), parameters)

    # Noise that makes the latents those of inference is that of the priors given those above.
    top, *below = zip(inferred.latents, inferred.priors, strict=True)
    own = [(z - p.mean) / p.variance.sqrt() for z, p in below]
    for drawn, z in zip(model.from_noise((top[0], *own)), inferred.latents, strict=True):
        torch.testing.assert_close(drawn, z, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_prior_depends_on_the_latents_above_alone() -> None:
    model, noise, other = make_model(), noise_for(5), noise_for(5, seed=3)
    first = model.infer(draw_images(), noise)
    for level in range(len(DIMS)):
        second = model.infer(draw_images(), (*noise[:level], *other[level:]))
        same = [
            torch.equal(p.mean, o.mean) for p, o in zip(first.priors, second.priors, strict=True)
        ]
        # That of the top is N(0, I).
        assert same == [own <= level or not own for own in range(len(DIMS))]
    images = draw_images().flip(0)
    means = [own.mean for own in model.infer(images, noise).priors]
    assert not torch.equal(means[1], first.priors[1].mean)


@torch.no_grad()
def test_a_posterior_sees_the_image_and_the_features_of_the_latents_above() -> None:
    network = make_model().network
    features = network.inference.features(draw_images())
    above = None
    for level, width in enumerate(DIMS):
        own = network.inference.numbers(level, features[level], above)
        assert not torch.equal(network.inference.numbers(level, 2 * features[level], above), own)
        if above is not None:
            others = above.clone()
            others[:, : OPTIONS["width"]] *= 2
            assert not torch.equal(network.inference.numbers(level, features[level], others), own)
            # What the prior's block has made is the generative pass' own.
            others = above.clone()
            others[:, OPTIONS["width"] :] *= 2
            assert torch.equal(network.inference.numbers(level, features[level], others), own)
        above = network.generative.join(level, above, [own[:, :width]])


class FixedGaussian(DiagonalGaussian):
    """A Gaussian whose sample is cut off from what made it."""

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        return super().rsample(noise).detach()


class FixedSamples(GaussianPosterior):
    """A posterior with latents that are held fixed."""

    def forward(self, features: Tensor) -> PosteriorDensity:
        return FixedGaussian(*super().forward(features))  # type: ignore[misc]


def test_no_path_leads_from_the_encoder_to_the_decoder_but_the_latents() -> None:
    for model, connected in ((make_model(), True), (make_model(FixedSamples), False)):
        images = draw_images().requires_grad_()
        _, outputs = model.infer_and_decode(images, noise_for(5))
        sources = [images, *model.network.inference.parameters()]
        found = torch.autograd.grad(outputs.square().sum(), sources, allow_unused=True)
        assert [gradient is not None for gradient in found] == [connected] * len(sources)


@torch.no_grad()
def test_the_block_of_a_prior_is_computed_once() -> None:
    model, calls = make_model(), []
    for prior in model.network.generative.priors:
        prior.register_forward_hook(lambda *_: calls.append(1))
    for work in (
        lambda: model.infer_and_decode(draw_images(), noise_for(5)),
        lambda: model.from_noise(noise_for(5)),
    ):
        calls.clear()
        work()
        assert len(calls) == len(DIMS) - 1


@torch.no_grad()
def test_depth_does_not_make_untrained_features_grow() -> None:
    spreads = []
    for depth in (1, 6, 48):
        torch.manual_seed(0)
        network = VeryDeepNetwork((1, 16, 16), 8, [depth, depth], width=16)
        own, join = torch.randn(64, network.latent_dim), network.generative.join
        levels, features = own.split(list(network.level_dims), dim=1), None
        for level in range(len(levels) - 1):
            features = join(level, features, levels[: level + 1])
        assert features is not None
        outputs = join(len(levels) - 1, features, levels)
        images = network.inference.features(torch.rand(64, 1, 16, 16))[0]
        spreads.append([float(each.std()) for each in (features[:, :16], outputs, images)])
    for shallow, *deeper in zip(*spreads, strict=True):
        assert all(0.5 * shallow < own < 2 * shallow for own in deeper)


@torch.no_grad()
def test_untrained_posteriors_are_near_their_priors() -> None:
    torch.manual_seed(0)
    network = VeryDeepNetwork((1, 28, 28), 5)
    model = HierarchicalModel(network, Bernoulli(), GaussianPosterior(), StandardNormal(5))
    rates = model.infer(draw_images(8, (1, 28, 28))).level_rates()
    assert all(own.mean() < 1 for own in rates)


def test_the_card_says_the_levels_in_a_line() -> None:
    assert make_model().notes == {
        "levels": "3 numbers under prior=standard_normal, then 3, then 2 x 24, then 70 given these"
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stage_levels": [4]}, r"^network\.stage_levels=\[4\]"),
        ({"stage_levels": [0, 1]}, r"^network\.stage_levels=\[0, 1\]"),
        (
            {"stage_levels": [1] * 5},
            r"^network\.stage_levels=\[1, 1, 1, 1, 1\]: 5 res.* 13 x 9 is",
        ),
        ({"width": 0}, r"^network\.width=0"),
        (
            {"width": 8192},
            r"^network\.stage_levels=\[1, 2, 2\], network\.width=8192: a net",
        ),
        ({"local_channels": 0}, r"^network\.local_channels=0"),
        ({"latent_dim": 117}, r"^network\.latent_dim=117: a vector of the whole image must"),
    ],
)
def test_wrong_sizes_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VeryDeepNetwork(SHAPE, **(OPTIONS | options))


def test_more_latents_than_pixels_are_taken() -> None:
    network: nn.Module = VeryDeepNetwork((1, 8, 8), 3, [4, 1], width=4, local_channels=16)
    assert network.latent_dim == 3 + 4 * 16 * 16


@pytest.mark.parametrize("levels", [[1, 40], [6, 1], [1, 1, 1]])
def test_a_network_of_as_many_weights_as_there_may_be_is_taken(
    levels: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.device("meta"):
        network: nn.Module = VeryDeepNetwork(SHAPE, 3, levels, width=64, local_channels=1)
        weights = sum(own.numel() for own in network.parameters())
        monkeypatch.setattr("reslag_vae.networks.vdvae.MOST_WEIGHTS", weights)
        VeryDeepNetwork(SHAPE, 3, levels, width=64, local_channels=1)
        monkeypatch.setattr("reslag_vae.networks.vdvae.MOST_WEIGHTS", weights // 2)
        with pytest.raises(ValueError, match=f"of more than {weights // 2:,} weights"):
            VeryDeepNetwork(SHAPE, 3, levels, width=64, local_channels=1)

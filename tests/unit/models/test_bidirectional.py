"""A hierarchy a part of whose latents is inferred on the way up, and the rest on the way down."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from reslag_vae.data.images import Batch
from reslag_vae.evaluation import encode, importance_weighted_bound
from reslag_vae.evaluation.epoch import evaluate
from reslag_vae.evaluation.metrics import bounds
from reslag_vae.latents import (
    BernoulliPosterior,
    BoltzmannPrior,
    FlowPrior,
    GaussianPosterior,
    PointPosterior,
    PrecisionWeightedPosterior,
    StandardNormal,
    VampPrior,
)
from reslag_vae.latents.gaussian import DiagonalGaussian
from reslag_vae.latents.inferred import joined
from reslag_vae.likelihoods import Bernoulli
from reslag_vae.models import BidirectionalModel, HierarchicalModel
from reslag_vae.networks import BivaNetwork, LadderNetwork
from reslag_vae.networks.bidirectional import BidirectionalNetwork, StochasticBottomUp
from reslag_vae.objectives import ELBO, FreeBits
from reslag_vae.training.build import build_system
from tests.hierarchies import (
    LINEAR_SHAPE,
    PIXELS,
    SHAPE,
    SIZE,
    FixedSamples,
    LinearDown,
    LinearGaussian,
    assert_bounds_of_binary_levels,
    draw_images,
    exact_log_likelihood,
    paths_to_the_image,
)

DIMS, UP_DIMS = (3, 8, 32), (0, 4, 16)  # a vector, two maps of 1 x 2 x 2 and two of 1 x 4 x 4
POSTERIORS = (GaussianPosterior, PrecisionWeightedPosterior)
each_posterior = pytest.mark.parametrize("posterior", POSTERIORS)


def make_network(shape: tuple[int, int, int] = SHAPE, **options: Any) -> BivaNetwork:
    usual = {"latent_dim": 3, "channels": [4, 6], "blocks": [1, 1], "latent_channels": [1, 1]}
    return BivaNetwork(shape, **(usual | options))


def make_model(
    posterior: type[GaussianPosterior] = GaussianPosterior, **options: Any
) -> BidirectionalModel:
    """A model whose features are of the size of those of a trained one."""
    torch.manual_seed(0)
    network = make_network(**options)
    model = BidirectionalModel(network, Bernoulli(), posterior(), StandardNormal(3))
    encoder = network.inference
    heads = (encoder.to_top, *encoder.up_heads, *encoder.down_heads, *network.generative.heads)
    with torch.no_grad():
        for head in heads:
            last = [layer for layer in head if isinstance(layer, nn.Conv2d | nn.Linear)][-1]
            for weight in last.parameters():
                weight.mul_(4)
    return model


def noise_for(count: int, seed: int = 2) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(count, width, generator=generator) for width in DIMS)


@pytest.mark.parametrize(
    ("shape", "options", "dims"),
    [
        ((1, 28, 28), {}, (3, 2 * 49, 2 * 196)),
        ((3, 64, 64), {"latent_channels": [1, 2]}, (3, 4 * 256, 2 * 1024)),
        (
            (1, 64, 64),
            {"channels": [4, 4, 4], "blocks": [1, 2, 1], "latent_channels": [0, 1, 2]},
            (3, 4 * 64, 2 * 256),
        ),
        (
            (1, 13, 9),
            {"channels": [4, 4, 4], "blocks": [1] * 3, "latent_channels": [1, 0, 2]},
            (3, 4 * 2 * 2, 2 * 7 * 5),
        ),
        (
            (2, 13, 9),
            {"channels": [4, 4, 4], "blocks": [1] * 3, "latent_channels": [1, 2, 0]},
            (3, 4 * 4 * 3, 2 * 7 * 5),
        ),
    ],
)
@torch.no_grad()
def test_images_of_all_sizes_and_colours_have_levels(
    shape: tuple[int, int, int], options: dict[str, Any], dims: tuple[int, ...]
) -> None:
    model = make_model(shape=shape, **options).eval()
    images = draw_images(2, shape)
    inferred = model.infer(images)

    assert model.level_dims == dims
    assert model.network.inference.up_dims == (0, *(own // 2 for own in dims[1:]))
    assert [own.shape[1] for own in inferred.latents] == list(dims)
    assert model.reconstruct(images).shape == images.shape
    assert model.sample(2).shape == images.shape


@each_posterior
@torch.no_grad()
def test_the_passes_of_inference_and_of_generation_are_the_same(
    posterior: type[GaussianPosterior],
) -> None:
    model, images = make_model(posterior).eval(), draw_images()
    inferred, parameters = model.infer_and_decode(images, noise_for(5))

    assert torch.equal(model.parameters_of(inferred.latents), parameters)
    assert torch.equal(model.infer(images, noise_for(5)).code, inferred.code)
    # The prior of a level is the same function of the latents above, whoever made those.
    decoder, above = model.network.generative, None
    for level in range(1, len(DIMS)):
        above = decoder.join(level - 1, above, inferred.latents[:level])
        prior = model.prior_given(level, above, torch.float32)
        assert torch.equal(prior.mean, inferred.priors[level].mean)


def test_no_path_leads_from_the_encoder_to_the_decoder_but_the_latents() -> None:
    for posterior, connected in ((PrecisionWeightedPosterior, True), (FixedSamples, False)):
        assert set(paths_to_the_image(make_model(posterior), draw_images())) == {connected}


@torch.no_grad()
def test_the_features_of_all_levels_above_reach_every_level() -> None:
    model = make_model().eval()
    decoder, (top, second, _) = model.network.generative, noise_for(5)
    for weight in (*decoder.mixes[0].parameters(), *decoder.paths[1].parameters()):
        weight.zero_()  # nothing of the top goes through the second level
    means = [decoder.numbers(2, through(decoder, own, second)) for own in (top, -top)]
    assert not torch.allclose(*means)
    images = [decoder(torch.cat([own, second, 0 * noise_for(5)[2]], 1)) for own in (top, -top)]
    assert not torch.allclose(*images)


def through(decoder: Any, top: Tensor, second: Tensor) -> Tensor:
    """The features of the latents of the first two levels."""
    features: Tensor = decoder.join(1, decoder.join(0, None, [top]), [top, second])
    return features


@each_posterior
@torch.no_grad()
def test_samples_of_an_image_differ_from_its_first_latents_on(
    posterior: type[GaussianPosterior],
) -> None:
    model, images, noise = make_model(posterior).eval(), draw_images(), noise_for(10)
    rows: list[list[int]] = []
    for path in model.network.inference.paths:
        rows.append([])
        path.register_forward_hook(lambda _, given, __, own=rows[-1]: own.append(len(given[0])))
    together = model.infer(images, noise)
    assert rows == [[10], [10], [5]]  # the first stage of the image, the last path, runs once

    for sample in range(2):
        alone = model.infer(images, tuple(own[sample::2] for own in noise))
        for all_of_them, own in zip(together.latents, alone.latents, strict=True):
            torch.testing.assert_close(all_of_them[sample::2], own)
        for all_kls, kls in zip(together.kls, alone.kls, strict=True):
            assert all_kls is not None
            torch.testing.assert_close(all_kls[sample::2], kls)
    for level, posterior_of_level in enumerate(together.posteriors):
        # At the top too: the way up is of samples.
        width = UP_DIMS[level] if level == len(DIMS) - 1 else 0
        mean = posterior_of_level.mean
        torch.testing.assert_close(mean[::2, :width], mean[1::2, :width])
        assert not torch.allclose(mean[::2, width:], mean[1::2, width:])


def changed(level: int, part: slice, model: BidirectionalModel) -> list[list[bool]]:
    """Whether each half of each level is another one, for other noise in a part of a level."""
    images, noise, other = draw_images(), noise_for(5), noise_for(5, seed=3)
    moved = [own.clone() for own in noise]
    moved[level][:, part] = other[level][:, part]
    found = []
    for before, after, up in zip(
        model.infer(images, noise).latents,
        model.infer(images, tuple(moved)).latents,
        UP_DIMS,
        strict=True,
    ):
        halves = (slice(None, up), slice(up, None))
        found.append([not torch.equal(before[:, own], after[:, own]) for own in halves])
    return found


@torch.no_grad()
def test_noise_of_the_way_up_goes_to_the_top_and_noise_of_the_way_down_goes_down() -> None:
    model = make_model().eval()
    up, down = [slice(None, own) for own in UP_DIMS], [slice(own, None) for own in UP_DIMS]
    # Of the top there is no half of the way up.
    assert changed(2, up[2], model) == [[False, True], [True, True], [True, True]]
    assert changed(1, up[1], model) == [[False, True], [True, True], [False, True]]
    assert changed(0, down[0], model) == [[False, True], [False, True], [False, True]]
    assert changed(1, down[1], model) == [[False, False], [False, True], [False, True]]
    assert changed(2, down[2], model) == [[False, False], [False, False], [False, True]]


@torch.no_grad()
def test_samples_are_a_function_of_each_level_s_noise_and_of_the_levels_above() -> None:
    model, noise, other = make_model().eval(), noise_for(7), noise_for(7, seed=3)
    usual = model.from_noise(noise)
    for level in range(3):
        moved = [*noise[:level], other[level], *noise[level + 1 :]]
        same = [
            torch.equal(*pair) for pair in zip(usual, model.from_noise(tuple(moved)), strict=True)
        ]
        assert same == [True] * level + [False] * (3 - level)
    cold = model.sample(9, torch.Generator().manual_seed(1), temperature=0)
    torch.testing.assert_close(cold, cold[:1].expand_as(cold))
    assert len(model.sample(9, torch.Generator().manual_seed(1)).unique(dim=0)) == 9


@each_posterior
@torch.no_grad()
def test_the_kl_of_each_level_is_that_of_its_samples(posterior: type[GaussianPosterior]) -> None:
    model, images, count = make_model(posterior).double().eval(), draw_images(2).double(), 20_000
    inferred = model.infer(images, tuple(own.double() for own in noise_for(2 * count)))
    ways = zip(
        inferred.posteriors, inferred.priors, inferred.latents, inferred.kls, UP_DIMS, strict=True
    )
    for q, p, z, kl, up in ways:
        assert kl is not None
        means = kl.sum(1).view(2, count)
        estimate = (q.log_prob(z) - p.log_prob(z)).view(2, count)
        error = 5 * (estimate - means).std(1) / math.sqrt(count)
        assert (means.mean(1) > 0.05).all()
        assert ((estimate - means).mean(1).abs() <= error).all()
        # Where a closed form would do it is used: its sign is sure.
        assert (kl[:, up:] >= 0).all()
        assert not up or (kl[:, :up] < 0).any()
    rates = inferred.level_rates()
    torch.testing.assert_close(inferred.rate(), rates[0] + rates[1] + rates[2])


class LinearUp(StochasticBottomUp):
    """Linear maps of an image and of latents: one of the second level's two is inferred upwards."""

    def __init__(self) -> None:
        super().__init__((0, 1))
        self.up = nn.Linear(PIXELS, 2)
        self.top = nn.Linear(PIXELS + 1, 2 * SIZE)
        self.down = nn.Linear(PIXELS + 1 + SIZE, 2)
        # The top's variances do not hang on the latents: all is one Gaussian.
        nn.init.zeros_(self.top.weight[SIZE:])

    def features(self, images: Tensor) -> list[Tensor]:
        return [images.flatten(1)]

    def up_numbers(self, level: int, features: Tensor) -> Tensor:
        numbers: Tensor = self.up(features)
        return numbers

    def climb(self, level: int, features: Tensor, latents: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat([features, latents], dim=1)
        return both, both

    def numbers(self, level: int, features: Tensor, above: Tensor | None) -> Tensor:
        if above is None:
            top: Tensor = self.top(features)
            return top
        numbers: Tensor = self.down(torch.cat([features, above], dim=1))
        return numbers


class Linear(BidirectionalNetwork):
    name = "linear_both_ways"

    def __init__(self) -> None:
        super().__init__(LinearUp(), LinearDown(), LINEAR_SHAPE, (SIZE, SIZE), 2, 1)


def linear_model(
    posterior: type[GaussianPosterior] = GaussianPosterior,
) -> tuple[BidirectionalModel, Tensor]:
    """A model whose likelihood is known, and images."""
    torch.manual_seed(4)
    model = BidirectionalModel(Linear(), LinearGaussian(), posterior(), StandardNormal(SIZE))
    return model.double().eval(), torch.rand(4, *LINEAR_SHAPE, dtype=torch.float64)


@each_posterior
@torch.no_grad()
def test_the_bounds_of_a_linear_model_are_below_its_exact_likelihood(
    posterior: type[GaussianPosterior],
) -> None:
    model, images = linear_model(posterior)
    result = importance_weighted_bound(model, images, samples=20_000)
    exact = exact_log_likelihood(model, images)
    # Of few samples it is below in the mean over many draws, and not in each.
    few = importance_weighted_bound(model, images.repeat(1000, 1, 1, 1), samples=5)
    means = few.importance_weighted.view(1000, 4).mean(0)

    assert (result.elbo < exact - 0.2).all()
    assert (result.elbo < means).all()
    assert (means < exact).all()
    torch.testing.assert_close(result.importance_weighted, exact, rtol=0, atol=0.1)


def upwards(model: BidirectionalModel, images: Tensor) -> tuple[DiagonalGaussian, Tensor, Tensor]:
    """Of the part that is inferred upwards: q, and the sampled and the "analytic" KL."""
    inferred = model.infer(images)
    (own, _), (prior, _) = (
        densities[1].split([1, SIZE - 1]) for densities in (inferred.posteriors, inferred.priors)
    )
    analytic, kl = own.kl(prior), inferred.kls[1]
    assert kl is not None
    return own, kl[:, 0], analytic[:, 0]


@torch.no_grad()
def test_the_kl_of_the_way_up_is_not_that_of_two_gaussians() -> None:
    """q(u) = N(m, s²), q(z_1|u) = N(a + w u, T) and p(u|z_1) = N(c z_1 + b, r²)."""
    model, images = linear_model()
    count, image = 200_000, images[:1]
    encoder, decoder = model.network.inference, model.network.generative
    up, kl, analytic = upwards(model, image.expand(count, -1, -1, -1))
    m, s2 = up.mean[0, 0], up.variance[0, 0]
    numbers = encoder.top(torch.cat([image.flatten(1), torch.zeros(1, 1).double()], 1))[0]
    a, top = numbers[:SIZE], DiagonalGaussian.from_parameters(numbers[None])
    w, c, b = encoder.top.weight[:SIZE, -1], decoder.head.weight[0], decoder.head.bias[0]
    r2 = DiagonalGaussian.from_parameters(decoder.head.bias[None]).variance[0, 0]
    # u - c z_1 - b is Gaussian, since z_1 is one given u.
    mean = m * (1 - c @ w) - c @ a - b
    variance = s2 * (1 - c @ w).square() + c.square() @ top.variance[0]
    exact = 0.5 * ((r2 / s2).log() - 1 + (mean.square() + variance) / r2)

    error = kl.std() / math.sqrt(count)
    assert abs(kl.mean() - exact) < 4 * error
    # It is wrong by the covariance of u and of what is said of it from above.
    wrong = s2 * (c @ w) / r2
    assert abs(wrong) > 20 * error
    assert abs(analytic.mean() - exact - wrong) < 4 * analytic.std() / math.sqrt(count)


def test_trained_by_the_sampled_kl_the_bound_comes_near_and_the_other_is_no_bound() -> None:
    model, images = linear_model()
    encoder, decoder = model.network.inference, model.network.generative
    with torch.no_grad():
        # What is inferred upwards explains the same of an image as the top, and away from it.
        decoder.head.weight[0] = torch.tensor([1.0, 0.0])
        for to_image in decoder.to_image:
            to_image.weight[:, 0] = 1.0
        exact = exact_log_likelihood(model, images)
    optimizer = torch.optim.Adam(encoder.parameters(), 0.02)
    for _ in range(400):
        optimizer.zero_grad()
        bound(model, images.repeat(64, 1, 1, 1)).mean().neg().backward()
        optimizer.step()
    with torch.no_grad():
        many = images.repeat(20_000, 1, 1, 1)
        _, kl, analytic = upwards(model, many)
        elbo = bound(model, many).view(-1, 4).mean(0)
        other = elbo + (kl - analytic).view(-1, 4).mean(0)
    assert (elbo < exact).all()
    assert (exact - elbo < 0.3).all()
    assert (other > exact + 0.1).all()


def bound(model: BidirectionalModel, images: Tensor) -> Tensor:
    """(B,) estimates of the ELBO from one sample."""
    inferred, parameters = model.infer_and_decode(images)
    rate = inferred.rate()
    assert rate is not None
    return model.likelihood.log_prob(images, parameters) - rate


def test_numbers_of_an_evaluation_do_not_depend_on_the_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, images = make_model().double(), draw_images()
    whole = importance_weighted_bound(model, images, samples=3), encode(model, images, seed=2)
    monkeypatch.setattr(bounds, "CHUNK", 1)
    monkeypatch.setattr("reslag_vae.evaluation.iteration.CHUNK", 2)
    parts = importance_weighted_bound(model, images, samples=3), encode(model, images, seed=2)

    torch.testing.assert_close(parts[0].importance_weighted, whole[0].importance_weighted)
    torch.testing.assert_close(parts[0].elbo, whole[0].elbo)
    torch.testing.assert_close(parts[1].latents, whole[1].latents)
    torch.testing.assert_close(parts[1].level_rates, whole[1].level_rates)
    assert parts[1].posterior is None


@torch.no_grad()
def test_a_code_is_of_means_each_given_the_means_of_what_it_is_inferred_from() -> None:
    model, images = make_model().eval(), draw_images()
    inferred = model.infer(images, tuple(torch.zeros(5, width) for width in DIMS))
    assert torch.equal(model.encode(images), joined(inferred.means))
    assert torch.equal(inferred.code, joined(inferred.means))


def test_the_groups_part_the_parameters() -> None:
    model = make_model()
    parameters = {
        name: {id(own) for module in modules for own in module.parameters()}
        for name, modules in model.groups().items()
    }
    assert not parameters["inference"] & parameters["generative"]
    assert parameters["inference"] == set(map(id, model.network.inference.parameters()))
    assert set.union(*parameters.values()) == set(map(id, model.parameters()))


def test_the_top_takes_another_prior_whose_kl_is_estimated() -> None:
    prior = FlowPrior(3, transforms=2)
    model = BidirectionalModel(make_network(), Bernoulli(), GaussianPosterior(), prior)
    inferred = model.infer(draw_images(), noise_for(5))
    rates, total = inferred.level_rates(), inferred.rate()

    assert total is not None
    top = inferred.posteriors[0].log_prob(inferred.latents[0])
    torch.testing.assert_close(rates[0], top - inferred.priors[0].log_prob(inferred.latents[0]))
    torch.testing.assert_close(total, rates[0] + rates[1] + rates[2])
    total.sum().backward()
    assert all(own.grad is not None for own in prior.parameters())


def test_the_card_says_what_is_inferred_on_the_way_up() -> None:
    assert make_model().notes == {
        "levels": "3 numbers under prior=standard_normal, then 8, then 32 given these",
        "way up": "4, then 16 of these; their KL is estimated by the one sample of each posterior",
    }


def test_parts_that_do_not_fit_are_refused_by_name() -> None:
    ladder = LadderNetwork(SHAPE, 3, [4, 6], [1, 1], [1, 1])
    usual = (make_network(), Bernoulli(), GaussianPosterior(), StandardNormal(3))
    with pytest.raises(ValueError, match=r"^network=ladder: infers no .* choose network=biva"):
        BidirectionalModel(ladder, *usual[1:])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^network=biva: infers latents .* network=ladder"):
        HierarchicalModel(*usual)
    with pytest.raises(ValueError, match=r"^prior=vamp: is made of an encoder of images alone"):
        BidirectionalModel(*usual[:3], VampPrior(3, SHAPE, 4))
    with pytest.raises(ValueError, match=r"^posterior=point: gives no prior of a level"):
        BidirectionalModel(*usual[:2], PointPosterior(), usual[3])  # type: ignore[arg-type]


@torch.no_grad()
def test_the_bounds_of_binary_levels_are_below_the_likelihood_summed_over_all_states() -> None:
    torch.manual_seed(0)
    network = BivaNetwork((1, 4, 4), 2, [3], [1], [1], parameters_per_latent=1)
    model = BidirectionalModel(network, Bernoulli(), BernoulliPosterior(), BoltzmannPrior(2))
    assert_bounds_of_binary_levels(model, (2, 8))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (("model=biva", "network=ladder"), "^network=ladder: infers no latents on its way up"),
        (("model=biva", "network=plain"), "^network=plain: .* choose network=biva"),
        (("model=ladder_vae", "network=biva"), "^network=biva: infers latents on its way up"),
        (("model=vae", "network=biva"), "^network=biva: is a network of 3 level.*model=biva"),
        (
            ("model=biva", "prior=vamp"),
            "^prior=vamp: is made of an encoder .* or prior=boltzmann with posterior=bernoulli[.]$",
        ),
        (("model=biva", "prior=pixelcnn"), "^prior=pixelcnn does not take posterior=diagonal"),
        (("model=biva", "objective=mmd"), "^model=biva does not take objective=mmd"),
        (("model=biva", "network.latent_channels=[1,0,1]"), r"^network\.latent_channels"),
    ],
)
def test_choices_that_do_not_fit_are_refused_by_name(
    choices: tuple[str, ...], message: str, compose: Callable[..., DictConfig]
) -> None:
    with pytest.raises(ValueError, match=message):
        build_system(compose(*choices, "data=digits", "logger=none"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_channels": [0, 0]}, r"^network\.latent_channels=\[0, 0\]: at least one stage"),
        # 3 + 2 · 1 · 4 + 2 · 2 · 16
        ({"latent_channels": [2, 1]}, r"^network\.latent_dim=3, .*75 latents in all; .* 64 numb"),
    ],
)
def test_wrong_sizes_of_the_network_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network(**options)


def test_the_samples_of_one_image_make_no_dimension_active() -> None:
    """What is inferred from a sample on the way up varies with it, and tells of no image."""
    model = make_model().eval()
    images = draw_images(1).expand(60, -1, -1, -1)
    codes = encode(model, images)
    samples = model.infer(images, model.levels(torch.randn(60, sum(DIMS))))
    assert (samples.shifts.var(0)[DIMS[0] :] > 0.01).any()
    assert not codes.active.any()
    assert encode(model, draw_images(60)).active.any()

    seen = (images * 255).to(torch.uint8)
    epoch = evaluate(model, ELBO(), [Batch(seen, torch.full((60,), -1))])
    assert not epoch.latents.active().any()


def test_free_bits_take_the_estimate_as_a_whole() -> None:
    inferred = make_model().infer(draw_images(), noise_for(5))
    groups = FreeBits(nats=0.1).groups(inferred)
    assert groups.shape == (5, 1)
    torch.testing.assert_close(groups[:, 0], inferred.rate())

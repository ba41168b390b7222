"""A model of levels that are inferred and generated one given the other, from the top down."""

import copy
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from reslag_vae.evaluation import encode, importance_weighted_bound
from reslag_vae.evaluation.metrics import bounds
from reslag_vae.latents import (
    BernoulliPosterior,
    BoltzmannPrior,
    FlowPrior,
    GaussianPosterior,
    Inferred,
    LatentStatistics,
    LevelDensity,
    PointPosterior,
    PrecisionWeightedPosterior,
    StandardNormal,
    VampPrior,
)
from reslag_vae.latents.inferred import joined
from reslag_vae.likelihoods import Bernoulli, Gaussian, OptimalVariance
from reslag_vae.models import GenerativeModel, HierarchicalModel
from reslag_vae.networks import LadderNetwork, PlainNetwork
from reslag_vae.networks.hierarchy import BottomUp, HierarchicalNetwork
from reslag_vae.training.build import build_system
from tests.contracts.numbers import assert_mean
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

DIMS = (3, 8, 16)  # a vector, and maps of 2 x 2 x 2 and 1 x 4 x 4
POSTERIORS = (PrecisionWeightedPosterior, GaussianPosterior)
each_posterior = pytest.mark.parametrize("posterior", POSTERIORS)


def make_network(shape: tuple[int, int, int] = SHAPE, **options: Any) -> LadderNetwork:
    usual = {"latent_dim": 3, "channels": [4, 6], "blocks": [1, 1], "latent_channels": [1, 2]}
    return LadderNetwork(shape, **(usual | options))


def make_model(
    posterior: type[GaussianPosterior] = PrecisionWeightedPosterior, **options: Any
) -> HierarchicalModel:
    """A model whose features are of the size of those of a trained one."""
    torch.manual_seed(0)
    model = HierarchicalModel(
        make_network(**options), Bernoulli(), posterior(), StandardNormal(DIMS[0])
    )
    with torch.no_grad():
        for head in (*model.network.inference.heads, *model.network.generative.heads):
            for weight in head.parameters():
                weight.mul_(4)
    return model


def noise_for(count: int, seed: int = 2) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(count, width, generator=generator) for width in DIMS)


@pytest.mark.parametrize(
    ("shape", "options", "dims"),
    [
        ((1, 28, 28), {}, (3, 2 * 49, 196)),
        ((3, 32, 32), {}, (3, 2 * 64, 256)),
        ((3, 64, 64), {}, (3, 2 * 256, 1024)),
        (
            (1, 64, 64),
            {"channels": [4, 4, 4], "blocks": [1, 2, 1], "latent_channels": [0, 1, 2]},
            (3, 2 * 64, 256),
        ),
        (
            (1, 13, 9),
            {"channels": [4, 4, 4], "blocks": [1] * 3, "latent_channels": [1, 0, 2]},
            None,
        ),
    ],
)
@torch.no_grad()
def test_images_of_all_sizes_and_colours_have_levels(
    shape: tuple[int, int, int], options: dict[str, Any], dims: tuple[int, ...] | None
) -> None:
    network = make_network(shape, **options)
    model = HierarchicalModel(
        network, Gaussian(OptimalVariance(shape)), PrecisionWeightedPosterior(), StandardNormal(3)
    ).eval()
    images = draw_images(2, shape)
    inferred = model.infer(images)

    assert model.level_dims == (dims or (3, 2 * 2 * 2, 7 * 5))
    assert [own.shape[1] for own in inferred.latents] == list(model.level_dims)
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
    again = model.infer(images, noise_for(5))
    assert torch.equal(again.code, inferred.code)
    # The prior of a level is the same function of the latents above, whoever made those.
    for level in range(1, len(DIMS)):
        still = [*inferred.latents[:level], *(torch.zeros(5, width) for width in DIMS[level:])]
        prior = priors_of(model, still)[level - 1]
        assert torch.equal(prior.mean, inferred.priors[level].mean)


def priors_of(model: HierarchicalModel, latents: list[Tensor]) -> list[LevelDensity]:
    """The priors of the levels below the top, for latents that are given."""
    priors, above = [], None
    for level in range(1, len(latents)):
        above = model.network.generative.join(level - 1, above, latents[:level])
        priors.append(model.prior_given(level, above, torch.float32))
    return priors


def test_no_path_leads_from_the_encoder_to_the_decoder_but_the_latents() -> None:
    for posterior, connected in ((PrecisionWeightedPosterior, True), (FixedSamples, False)):
        assert set(paths_to_the_image(make_model(posterior), draw_images())) == {connected}


@each_posterior
@torch.no_grad()
def test_a_level_is_inferred_from_the_samples_above_it(posterior: type[GaussianPosterior]) -> None:
    model, images, noise = make_model(posterior).eval(), draw_images(), noise_for(10)
    together = model.infer(images, noise)
    for sample in range(2):
        alone = model.infer(images, tuple(own[sample::2] for own in noise))
        for all_of_them, own in zip(together.latents, alone.latents, strict=True):
            torch.testing.assert_close(all_of_them[sample::2], own)
        for prior, own_prior in zip(together.priors[1:], alone.priors[1:], strict=True):
            torch.testing.assert_close(prior.mean[sample::2], own_prior.mean)

    first, second = together.priors[1].mean[::2], together.priors[1].mean[1::2]
    assert not torch.allclose(first, second)
    # Of the noise below nothing goes up.
    other = noise_for(10, seed=3)
    changed = model.infer(images, (noise[0], other[1], other[2]))
    assert torch.equal(changed.latents[0], together.latents[0])
    assert torch.equal(changed.priors[1].mean, together.priors[1].mean)
    assert not torch.allclose(changed.priors[2].mean, together.priors[2].mean)


@torch.no_grad()
def test_samples_are_a_function_of_each_level_s_noise_and_of_the_levels_above() -> None:
    model, noise, other = make_model().eval(), noise_for(7), noise_for(7, seed=3)
    usual = model.from_noise(noise)
    for level in range(3):
        moved = [*noise[:level], other[level], *noise[level + 1 :]]
        changed = model.from_noise(tuple(moved))
        same = [torch.equal(*pair) for pair in zip(usual, changed, strict=True)]
        assert same == [True] * level + [False] * (3 - level)

    torch.testing.assert_close(model.from_noise(tuple(own[2:3] for own in noise))[2], usual[2][2:3])


@torch.no_grad()
def test_a_temperature_is_a_factor_of_every_level_s_deviations() -> None:
    model, noise = make_model().eval(), noise_for(7)
    cooler = model.from_noise(noise, 0.5)
    torch.testing.assert_close(cooler[0], 0.5 * noise[0])
    for level, prior in enumerate(priors_of(model, list(cooler)), start=1):
        expected = prior.mean + 0.5 * prior.variance.sqrt() * noise[level]
        torch.testing.assert_close(cooler[level], expected)


@torch.no_grad()
def test_temperature_0_has_no_spread() -> None:
    model = make_model().eval()
    cold = model.sample(9, torch.Generator().manual_seed(1), temperature=0)
    warm = model.sample(9, torch.Generator().manual_seed(1))

    torch.testing.assert_close(cold, cold[:1].expand_as(cold))
    assert len(warm.unique(dim=0)) == 9


@each_posterior
@torch.no_grad()
def test_the_kl_of_each_level_is_that_of_its_samples(posterior: type[GaussianPosterior]) -> None:
    model, images, count = make_model(posterior).double().eval(), draw_images(2).double(), 20_000
    noise = tuple(own.double() for own in noise_for(2 * count))
    inferred = model.infer(images, noise)
    for q, p, z, kl in zip(
        inferred.posteriors, inferred.priors, inferred.latents, inferred.kls, strict=True
    ):
        assert kl is not None
        exact = kl.sum(1).view(2, count)
        estimate = (q.log_prob(z) - p.log_prob(z)).view(2, count)
        error = 5 * (estimate - exact).std(1) / math.sqrt(count)
        assert (exact.mean(1) > 0.05).all()
        assert ((estimate - exact).mean(1).abs() <= error).all()
    rates = inferred.level_rates()
    torch.testing.assert_close(inferred.rate(), rates[0] + rates[1] + rates[2])


@torch.no_grad()
def test_the_kl_is_of_the_merged_posterior_and_not_of_the_image_s_gaussian() -> None:
    model, images = make_model().eval(), draw_images()
    with torch.no_grad():
        for head in list(model.network.inference.heads)[1:]:
            head[0].weight.zero_()
            head[0].bias[: len(head[0].bias) // 2] = 0
            head[0].bias[len(head[0].bias) // 2 :] = 1000  # of no precision
    inferred = model.infer(images, noise_for(5))

    for level in (1, 2):
        torch.testing.assert_close(
            inferred.posteriors[level].mean, inferred.priors[level].mean, rtol=1e-4, atol=1e-4
        )
        kl = inferred.kls[level]
        assert kl is not None
        assert (kl.sum(1) < 1e-4).all()
    assert inferred.rate() is not None
    statistics = LatentStatistics()
    statistics.add(inferred, torch.zeros(5))
    # Their means follow the levels above, and say nothing of an image by themselves.
    assert inferred.means[1].var(0).min() > 0
    assert not statistics.active()[DIMS[0] :].any()
    silent = "; levels 2 to 3 of 3 COLLAPSED: KL at most 0.00 nats each"
    assert statistics.verdict().endswith(silent)
    assert set(statistics.metrics()) == {"active_units", *(f"kl_level_{i}" for i in (1, 2, 3))}


class LinearUp(BottomUp):
    """Linear maps of an image to the numbers of two levels of `SIZE` dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(PIXELS, 2 * SIZE) for _ in range(2))

    def features(self, images: Tensor) -> list[Tensor]:
        return [images.flatten(1)] * 2

    def numbers(self, level: int, features: Tensor, above: Tensor | None) -> Tensor:
        numbers: Tensor = self.heads[level](features)
        return numbers


class Linear(HierarchicalNetwork):
    name = "linear_hierarchy"

    def __init__(self) -> None:
        super().__init__(LinearUp(), LinearDown(), LINEAR_SHAPE, (SIZE, SIZE), 2, 1)


@each_posterior
@torch.no_grad()
def test_the_bounds_of_a_linear_model_are_below_its_exact_likelihood(
    posterior: type[GaussianPosterior],
) -> None:
    torch.manual_seed(4)
    model = HierarchicalModel(Linear(), LinearGaussian(), posterior(), StandardNormal(SIZE))
    model = model.double().eval()
    images = torch.rand(4, *LINEAR_SHAPE, dtype=torch.float64)
    result = importance_weighted_bound(model, images, samples=20_000)
    exact = exact_log_likelihood(model, images)
    # Of few samples it is below in the mean over many draws, and not in each.
    few = importance_weighted_bound(model, images.repeat(1000, 1, 1, 1), samples=5)
    means = few.importance_weighted.view(1000, 4).mean(0)

    assert (result.elbo < result.importance_weighted).all()
    assert (result.elbo < exact - 0.2).all()
    assert (result.elbo < means).all()
    assert (means < exact).all()
    torch.testing.assert_close(result.importance_weighted, exact, rtol=0, atol=0.1)


def binary_model(shape: tuple[int, int, int] = (1, 4, 4), **sizes: Any) -> HierarchicalModel:
    torch.manual_seed(0)
    network = make_network(shape, parameters_per_latent=1, **sizes)
    return HierarchicalModel(network, Bernoulli(), BernoulliPosterior(), BoltzmannPrior(3))


@torch.no_grad()
def test_the_bounds_of_binary_levels_are_below_the_likelihood_summed_over_all_states() -> None:
    model = binary_model(channels=[3], blocks=[1], latent_channels=[1])
    assert_bounds_of_binary_levels(model, (3, 4))


@torch.no_grad()
def test_the_kl_of_each_binary_level_is_that_of_its_samples() -> None:
    model, images, count = binary_model(SHAPE).double().eval(), draw_images(2).double(), 20_000
    inferred = model.infer(images, tuple(own.double() for own in model_noise(model, 2 * count)))
    levels = zip(inferred.posteriors, inferred.priors, inferred.latents, inferred.kls, strict=True)
    for q, p, z, kl in levels:
        assert kl is not None
        rows = (q.log_prob(z) - p.log_prob(z) - kl.sum(1)).view(2, count).T
        assert_mean(rows, torch.zeros(2, dtype=torch.float64))


def model_noise(model: HierarchicalModel, count: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    return tuple(torch.randn(count, width, generator=generator) for width in model.level_dims)


@torch.no_grad()
def test_binary_codes_are_probabilities_that_decode_as_the_values_next_to_them() -> None:
    model, images = binary_model(SHAPE).eval(), draw_images()
    code = model.encode(images)

    assert ((code > 0) & (code < 1)).all()
    assert torch.equal(model.decode(code), model.decode(code.round()))
    cold = model.sample(9, torch.Generator().manual_seed(1), temperature=0)
    assert torch.equal(cold, cold[:1].expand_as(cold))
    assert len(model.sample(9, torch.Generator().manual_seed(1)).unique(dim=0)) > 1


def test_numbers_of_an_evaluation_do_not_depend_on_the_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, images = make_model(), draw_images()
    whole = importance_weighted_bound(model, images, samples=3), encode(model, images, seed=2)
    monkeypatch.setattr(bounds, "CHUNK", 1)
    monkeypatch.setattr("reslag_vae.evaluation.iteration.CHUNK", 2)
    parts = importance_weighted_bound(model, images, samples=3), encode(model, images, seed=2)

    torch.testing.assert_close(parts[0].importance_weighted, whole[0].importance_weighted)
    torch.testing.assert_close(parts[1].latents, whole[1].latents)
    torch.testing.assert_close(parts[1].level_rates, whole[1].level_rates)
    torch.testing.assert_close(parts[1].activity, whole[1].activity)
    assert parts[1].posterior is None


def test_the_bound_decodes_in_the_pass_that_infers(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(*_: Any) -> Tensor:
        raise AssertionError("a second pass downwards")

    model, images = make_model(), draw_images()
    with monkeypatch.context() as patch:
        patch.setattr(model, "infer_and_decode", partial(GenerativeModel.infer_and_decode, model))
        expected = importance_weighted_bound(model, images, samples=3)
    monkeypatch.setattr(model, "parameters_of", again)
    found = importance_weighted_bound(model, images, samples=3)

    assert torch.equal(found.importance_weighted, expected.importance_weighted)
    assert torch.equal(found.elbo, expected.elbo)


@torch.no_grad()
def test_a_code_is_of_means_each_given_the_mean_above() -> None:
    model, images = make_model().eval(), draw_images()
    still = tuple(torch.zeros(5, width) for width in DIMS)
    inferred = model.infer(images, still)
    assert torch.equal(model.encode(images), joined(inferred.means))
    assert torch.equal(inferred.code, joined(inferred.means))


def test_the_groups_part_the_parameters() -> None:
    model = make_model()
    groups = model.groups()
    parameters = {
        name: {id(own) for module in modules for own in module.parameters()}
        for name, modules in groups.items()
    }
    assert not parameters["inference"] & parameters["generative"]
    assert parameters["inference"] == set(map(id, model.network.inference.parameters()))
    assert set.union(*parameters.values()) == set(map(id, model.parameters()))


@pytest.mark.parametrize("kind", [VampPrior, FlowPrior])
def test_the_top_takes_other_priors(kind: Any) -> None:
    torch.manual_seed(0)
    prior = VampPrior(3, SHAPE, 4) if kind is VampPrior else FlowPrior(3, transforms=2)
    model = HierarchicalModel(make_network(), Bernoulli(), PrecisionWeightedPosterior(), prior)
    inferred = model.infer(draw_images(), noise_for(5))
    rates, total = inferred.level_rates(), inferred.rate()

    assert total is not None
    torch.testing.assert_close(total, rates[0] + rates[1] + rates[2])
    top = inferred.posteriors[0].log_prob(inferred.latents[0])
    torch.testing.assert_close(rates[0], top - inferred.priors[0].log_prob(inferred.latents[0]))
    # The others keep their closed forms: one sample would be a noisier estimate of them.
    for rate, kl in zip(rates[1:], inferred.kls[1:], strict=True):
        assert kl is not None
        torch.testing.assert_close(rate, kl.sum(1), rtol=0, atol=0)
    total.sum().backward()
    assert all(own.grad is not None for own in prior.parameters())
    assert sum(1 for _ in model.parameters()) == len(set(map(id, copied_parameters(model))))


def copied_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Those of a copy, in which what is not registered would be there twice."""
    return list(copy.deepcopy(model).parameters())


def refused(message: str, **parts: Any) -> None:
    usual = {
        "network": make_network(),
        "likelihood": Bernoulli(),
        "posterior": PrecisionWeightedPosterior(),
        "prior": StandardNormal(3),
    }
    with pytest.raises(ValueError, match=message):
        HierarchicalModel(**(usual | parts))


def test_parts_that_do_not_fit_are_refused_by_name() -> None:
    refused(r"^network=plain: has no levels", network=PlainNetwork(SHAPE, 3, [4], [1]))
    refused(r"^posterior=point: gives no prior of a level", posterior=PointPosterior())
    refused(r"^network\.parameters_per_latent=2: bernoulli", posterior=BernoulliPosterior())
    refused(r"^prior\.latent_dim=4: must be that of the network, 3", prior=StandardNormal(4))
    one = make_network(parameters_per_latent=1)
    refused(r"^network\.parameters_per_latent=1: ", network=one)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (("model=ladder_vae", "network=plain"), "^network=plain: has no levels"),
        (("model=vae", "network=ladder"), "^network=ladder: is a network of 3 level.*ladder_vae"),
        (
            ("model=vae", "posterior=precision_weighted"),
            "^posterior=precision_weighted does not take network=plain; it takes network=.*ladder",
        ),
        (
            ("model=ladder_vae", "posterior=point"),
            "^posterior=point: gives no prior of a .* posterior=bernoulli with prior=boltzmann[.]$",
        ),
        (  # a point has no density, which the objective needs
            ("model=ladder_vae", "posterior=bernoulli"),
            "^posterior=bernoulli .* or choose posterior=diagonal_gaussian, precision_weighted[.]$",
        ),
        (  # codes have no priors of levels
            ("model=ladder_vae", "prior=uniform_codes"),
            "takes no other; choose prior=flow, mixture, standard_normal, two_stage, vamp, or an",
        ),
        (("model=ladder_vae", "objective=mmd"), "^model=ladder_vae does not take objective=mmd"),
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
        ({"latent_channels": [1]}, r"^network\.latent_channels=\[1\]: must be as many as"),
        ({"latent_channels": [0, 0]}, r"^network\.latent_channels=\[0, 0\]: at least one stage"),
        ({"latent_channels": [-1, 1]}, r"^network\.latent_channels"),
        ({"latent_channels": [4, 1]}, r"^network\.latent_dim=3, .*71 latents in all; .* 64 numb"),
        (
            {"channels": [4] * 4, "blocks": [1] * 4, "latent_channels": [1] * 4},
            r"^network\.channels=\[4, 4, 4, 4\]: 4 stages halve an image",
        ),
    ],
)
def test_wrong_sizes_of_the_network_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network(**options)


def test_what_inference_says_of_a_hierarchy_is_no_gaussian_of_the_image_alone() -> None:
    inferred: Inferred = make_model().infer(draw_images())
    assert inferred.top_down
    assert inferred.log_variances is None
    assert inferred._replace(top_down=False).log_variances is not None

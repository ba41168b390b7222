"""A model of three levels whose encoder shares the first half of the decoder."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor

from reslag_vae.data.images import Batch
from reslag_vae.evaluation import importance_weighted_bound
from reslag_vae.evaluation.codes import encode
from reslag_vae.evaluation.iteration import posterior_means
from reslag_vae.evaluation.metrics import bounds
from reslag_vae.latents import (
    BernoulliPosterior,
    BoltzmannPrior,
    GaussianPosterior,
    StandardNormal,
)
from reslag_vae.likelihoods import Bernoulli, PixelCNNPlusPlus
from reslag_vae.models import FlatModel, SharedModel
from reslag_vae.networks import PlainNetwork, SharedNetwork
from reslag_vae.objectives import ELBO
from reslag_vae.training.build import build_system
from reslag_vae.training.schedules import Update
from reslag_vae.variants import PixelVAEPlusPlus
from tests.updates import equal, state

SHAPE = (1, 8, 8)
UNITS, VECTOR, PLACES = 4, 3, 4


def make_network(**options: Any) -> SharedNetwork:
    usual: dict[str, Any] = {
        "image_shape": SHAPE,
        "latent_dim": VECTOR,
        "channels": [4, 6, 4],
        "blocks": [1, 1, 1],
        "units": UNITS,
        "local_channels": 1,
        "stack_channels": 4,
        "parameters_per_latent": 1,
        "parameters_per_channel": 2,
    }
    return SharedNetwork(**(usual | options))


def make_likelihood() -> PixelCNNPlusPlus:
    return PixelCNNPlusPlus(SHAPE, "bernoulli", 4, 3, 3, parameters_per_channel=2)


def make_model() -> SharedModel:
    torch.manual_seed(0)
    prior = BoltzmannPrior(UNITS)
    torch.nn.init.normal_(prior.weights)
    return SharedModel(make_network(), make_likelihood(), BernoulliPosterior(), prior)


def draw_images(count: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, *SHAPE, generator=generator).round()


@torch.no_grad()
def test_levels_are_units_a_vector_and_a_map() -> None:
    model, images = make_model().eval(), draw_images()
    inferred = model.infer(images)

    assert model.level_dims == (UNITS, VECTOR, PLACES)
    assert model.noise_dims == (1 + UNITS // 2, VECTOR, PLACES)
    assert [level.shape for level in inferred.latents] == [(5, own) for own in model.level_dims]
    assert [kl is not None and kl.shape[1] for kl in inferred.kls] == list(model.level_dims)
    assert set(inferred.latents[0].unique().tolist()) <= {0.0, 1.0}
    (top, *below), samples = model.sample_latents(200), model.sample(3)
    assert set(top.unique().tolist()) == {0.0, 1.0}
    assert all(len(level.unique()) > 1 for level in below)
    assert set(samples.unique().tolist()) == {0.0, 1.0}


@torch.no_grad()
def test_samples_of_an_image_lie_next_to_each_other() -> None:
    model, images = make_model().eval(), draw_images()
    noise = tuple(torch.randn(10, width) for width in model.level_dims)
    together = model.infer(images, noise).code.view(5, 2, -1)

    for sample in range(2):
        alone = model.infer(images, tuple(own[sample::2] for own in noise)).code
        torch.testing.assert_close(together[:, sample], alone)


@torch.no_grad()
def test_a_code_is_of_probabilities_and_is_decoded_by_the_nearest_values_of_the_units() -> None:
    model = make_model().eval()
    codes = model.encode(draw_images())
    units = codes[:, :UNITS]
    assert ((units > 0) & (units < 1)).all()

    nearest = torch.cat([units.round(), codes[:, UNITS:]], dim=1)
    assert torch.equal(model.parameters_at(codes), model.parameters_at(nearest))
    assert torch.equal(model.decode(codes), model.decode(nearest))
    other = torch.cat([1 - units.round(), codes[:, UNITS:]], dim=1)
    assert not torch.equal(model.parameters_at(codes), model.parameters_at(other))


@torch.no_grad()
def test_the_flat_model_decodes_binary_units_so_too() -> None:
    network = PlainNetwork(SHAPE, 3, [4], [1], parameters_per_latent=1)
    model = FlatModel(network, Bernoulli(), BernoulliPosterior(), BoltzmannPrior(3)).eval()
    codes = torch.tensor([[0.2, 0.6, 3.0], [-1.0, 0.5, 0.51]])

    expected = model.decode(torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]))
    assert torch.equal(model.decode(codes), expected)


def test_the_encoder_hangs_on_the_first_half_of_the_decoder_and_on_no_other_layer() -> None:
    model = make_model()
    model.infer(draw_images()).means[1].sum().backward()
    network = model.likelihood.network
    reached = [
        any(own.grad is not None and bool((own.grad != 0).any()) for own in layer.parameters())
        for layer in network.gated_layers()
    ]

    assert network.first_layers == 1
    assert reached == [True, False, False]


def test_an_update_of_the_encoder_alone_leaves_the_shared_half_bitwise_alone() -> None:
    system = PixelVAEPlusPlus(make_model(), ELBO())
    optimizers, _ = system.configure_optimizers()
    system.optimizers = lambda: optimizers  # type: ignore[method-assign, assignment, return-value]
    system.manual_backward = lambda loss: loss.backward()  # type: ignore[method-assign]
    system.prepare_updates()
    before = {name: state(system.group(name)) for name in ("inference", "generative")}
    images = draw_images()
    forward = system.update(Batch(images, torch.full((len(images),), -1)), Update(("inference",)))

    assert forward.losses.isfinite().all()
    assert equal(before["generative"], state(system.group("generative")))
    assert not equal(before["inference"], state(system.group("inference")))


def only_units_matter(model: SharedModel) -> None:
    """Make p(x|z) a function of the units alone, and the other levels' posteriors their priors."""
    network = model.network
    network.generative.from_local.weight.zero_()
    network.generative.from_vector[0].weight[:, UNITS:] = 0
    last = network.inference.to_vector[-1]
    for layer, rows in ((last, slice(UNITS, None)), (network.inference.to_local[0], slice(None))):
        layer.weight[rows] = 0
        layer.bias[rows] = 0


@torch.no_grad()
def test_the_importance_weighted_bound_is_below_and_near_the_exact_log_likelihood() -> None:
    model = make_model().double().eval()
    only_units_matter(model)
    for layer in model.likelihood.network.gated_layers():
        if layer.context is not None:
            layer.context.weight.mul_(5)
    images = draw_images().double()
    states = torch.tensor(list(itertools.product([0.0, 1.0], repeat=UNITS)), dtype=torch.float64)
    codes = torch.cat([states, states.new_zeros(len(states), VECTOR + PLACES)], dim=1)
    joint = []
    for image in images:
        fit = model.log_likelihood(image.expand(len(states), *SHAPE), codes)
        joint.append((fit + model.prior().log_prob(states)).logsumexp(0))
    exact = torch.stack(joint)
    bound = importance_weighted_bound(model, images, samples=2000)

    assert (bound.elbo < exact - 0.3).all()
    torch.testing.assert_close(bound.importance_weighted, exact, rtol=0, atol=0.1)


def test_numbers_of_an_evaluation_do_not_depend_on_the_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, images = make_model(), draw_images()
    whole = importance_weighted_bound(model, images, samples=3), encode(model, images, seed=2)
    monkeypatch.setattr(bounds, "LATENTS", 1)
    monkeypatch.setattr("reslag_vae.evaluation.iteration.CHUNK", 2)
    parts = importance_weighted_bound(model, images, samples=3), encode(model, images, seed=2)

    torch.testing.assert_close(parts[0].importance_weighted, whole[0].importance_weighted)
    torch.testing.assert_close(parts[1].latents, whole[1].latents)
    torch.testing.assert_close(parts[1].kls, whole[1].kls)
    with torch.no_grad():
        assert torch.equal(posterior_means(model.eval(), images), model.encode(images))


def refused(message: str, **parts: Any) -> None:
    usual = {
        "network": make_network(),
        "likelihood": make_likelihood(),
        "posterior": BernoulliPosterior(),
        "prior": BoltzmannPrior(UNITS),
    }
    with pytest.raises(ValueError, match=message):
        SharedModel(**(usual | parts))


def test_parts_that_do_not_fit_are_refused_by_name() -> None:
    plain = PlainNetwork(SHAPE, 3, [4], [1])
    refused(r"^network=plain: is a network of 1 level", network=plain)
    refused(r"^likelihood=bernoulli: has no first half", likelihood=Bernoulli())
    refused(r"^network\.stack_channels=2: must be", network=make_network(stack_channels=2))
    refused(r"^network\.parameters_per_latent=1: ", posterior=GaussianPosterior())
    refused(r"^prior\.latent_dim=5: must be that of the network, 4", prior=BoltzmannPrior(5))
    with pytest.raises(ValueError, match=r"^network=shared: is a network of 3 level"):
        FlatModel(make_network(parameters_per_channel=1), Bernoulli())


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (("model=pixelvae_pp", "network=plain"), "^network=plain: is a network of 1 level"),
        (("model=vae", "network=shared"), "^network=shared: is a network of 3 level"),
        (("model=pixelvae_pp", "likelihood=pixelcnn"), "^likelihood=pixelcnn: has no first half"),
        (
            ("model=pixelvae_pp", "posterior=diagonal_gaussian", "prior=vamp"),
            "^prior=vamp: is made of an encoder of images alone",
        ),
        (("model=pixelvae_pp", "network.units=33"), r"^prior\.latent_dim=33: .*network\.units"),
        (("model=vae", "posterior=bernoulli"), "posterior=bernoulli does not take prior=standard_"),
        (("model=vae", "prior=boltzmann"), "prior=boltzmann does not take posterior=diagonal_"),
    ],
)
def test_choices_that_do_not_fit_are_refused_by_name(
    choices: tuple[str, ...], message: str, compose: Callable[..., DictConfig]
) -> None:
    with pytest.raises(ValueError, match=message):
        build_system(compose(*choices, "data=digits", "logger=none"))


@torch.no_grad()
def test_the_discrete_prior_may_be_left_out() -> None:
    network, prior = make_network(parameters_per_latent=2), StandardNormal(UNITS)
    model = SharedModel(network, make_likelihood(), GaussianPosterior(), prior).eval()
    codes = model.encode(draw_images())

    assert not model.binary_levels
    assert not torch.equal(model.parameters_at(codes), model.parameters_at(codes.round()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": [4], "blocks": [1]}, r"^network\.channels=\[4\]: at least 2 stages"),
        ({"units": 0}, r"^network\.units=0: must be a whole number"),
        ({"local_channels": 15}, r"^network\.units=4, .*67 latents in all; .* image's 64 numbers"),
    ],
)
def test_wrong_sizes_of_the_network_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network(**options)

"""A flat model as functions of plain tensors."""

from collections.abc import Callable

import pytest
import torch

from reslag_vae.latents import MixturePrior, PointPosterior, UniformCodes, VectorQuantised
from reslag_vae.likelihoods import Bernoulli, PixelCNN, UnitGaussian
from reslag_vae.models import FlatModel
from reslag_vae.models.terms import compute_terms
from reslag_vae.networks import DeepResidualNetwork, GridNetwork, Network, PlainNetwork
from reslag_vae.objectives import ELBO, MMD, Reconstruction
from tests.systems import make_model

MakeNetwork = Callable[..., Network]
SHAPE = (1, 8, 8)


@pytest.fixture
def model(make_network: MakeNetwork) -> FlatModel:
    return make_model(make_network()).eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(256, (5, *SHAPE), dtype=torch.uint8)


@torch.no_grad()
def test_shapes(model: FlatModel, images: torch.Tensor) -> None:
    assert model.encode(images).shape == (5, 3)
    assert model.decode(torch.zeros(4, 3)).shape == (4, *SHAPE)
    assert model.reconstruct(images).shape == (5, *SHAPE)
    assert model.sample(7).shape == (7, *SHAPE)
    assert model.interpolate(images[0], images[1], steps=6).shape == (6, *SHAPE)
    assert model.log_likelihood(images / 255, torch.zeros(5, 3)).shape == (5,)
    assert model.dimensions == 64
    assert model.latent_dim == 3
    assert not model.deterministic


@torch.no_grad()
def test_bytes_and_the_same_values_in_the_unit_interval_are_one(
    model: FlatModel, images: torch.Tensor
) -> None:
    unit = images / 255
    assert torch.equal(model.encode(images), model.encode(unit))
    assert torch.equal(model.reconstruct(images), model.reconstruct(unit))
    assert torch.equal(model.interpolate(images[0], images[1]), model.interpolate(unit[0], unit[1]))
    noise = (torch.randn(5, 3),)
    of_bytes, _ = compute_terms(model, ELBO(), images, noise)
    of_unit, _ = compute_terms(model, ELBO(), unit, noise)
    assert torch.equal(of_bytes.loss, of_unit.loss)


@torch.no_grad()
def test_images_are_means_between_black_and_white(model: FlatModel) -> None:
    samples = model.sample(50)
    assert samples.min() >= 0
    assert samples.max() <= 1


@torch.no_grad()
def test_samples_of_one_seed_repeat(model: FlatModel) -> None:
    first, again, other = (
        model.sample(4, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@torch.no_grad()
def test_a_seeded_sample_leaves_the_global_random_state_alone(model: FlatModel) -> None:
    before = torch.get_rng_state()
    model.sample(4, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


@torch.no_grad()
def test_a_sample_is_decoded_from_the_prior(model: FlatModel) -> None:
    latents = torch.randn(4, 3, generator=torch.Generator().manual_seed(3))
    assert torch.equal(model.sample(4, torch.Generator().manual_seed(3)), model.decode(latents))


@torch.no_grad()
def test_an_interpolation_ends_in_the_reconstructions(
    model: FlatModel, images: torch.Tensor
) -> None:
    path = model.interpolate(images[0], images[1], steps=5)
    torch.testing.assert_close(path[[0, -1]], model.reconstruct(images[:2]))
    middle = model.encode(images[:2]).mean(0, keepdim=True)
    torch.testing.assert_close(path[2:3], model.decode(middle))


@torch.no_grad()
def test_a_reconstruction_is_of_the_posterior_mean(model: FlatModel, images: torch.Tensor) -> None:
    assert torch.equal(model.encode(images), model.posterior_of(images / 255).mean)
    assert torch.equal(model.reconstruct(images), model.decode(model.encode(images)))


def test_double_precision_goes_all_the_way(model: FlatModel, images: torch.Tensor) -> None:
    terms, inferred = compute_terms(model.double(), ELBO(), images.double() / 255)
    values = (terms.loss, terms.distortion, terms.rec, terms.kl, inferred.code)
    assert {value.dtype for value in values if value is not None} == {torch.float64}


def test_given_noise_makes_the_terms_a_function(
    make_network: MakeNetwork, images: torch.Tensor
) -> None:
    model, noise, prior = (
        make_model(make_network(), "mmd").eval(),
        torch.randn(5, 3),
        torch.randn(5, 3),
    )
    before = torch.get_rng_state()
    first, _ = compute_terms(model, MMD(), images, (noise,), prior)
    again, _ = compute_terms(model, MMD(), images, (noise,), prior)
    other, _ = compute_terms(model, MMD(), images, (noise,), prior + 1)
    assert torch.equal(first.loss, again.loss)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(other.loss, first.loss)


@torch.no_grad()
def test_the_code_of_an_autoencoder_is_its_network_output(
    make_network: MakeNetwork, images: torch.Tensor
) -> None:
    model = make_model(make_network(parameters_per_latent=1), "reconstruction").eval()
    assert model.deterministic
    assert torch.equal(model.encode(images), model.network.inference(images / 255))
    assert compute_terms(model, Reconstruction(), images)[0].kl is None


@torch.no_grad()
def test_several_samples_of_each_image_lie_next_to_each_other(
    model: FlatModel, images: torch.Tensor
) -> None:
    unit, noise = images / 255, torch.randn(15, 3)
    together = model.infer(unit, (noise,))
    for i in range(5):
        alone = model.infer(unit[i : i + 1], (noise[3 * i : 3 * i + 3],))
        torch.testing.assert_close(together.code[3 * i : 3 * i + 3], alone.code)
        torch.testing.assert_close(together.log_ratio()[3 * i : 3 * i + 3], alone.log_ratio())


@torch.no_grad()
def test_the_kl_of_a_learned_prior_is_that_of_the_sample(
    make_network: MakeNetwork, images: torch.Tensor
) -> None:
    model = FlatModel(make_network(), UnitGaussian(), prior=MixturePrior(3, 2)).eval()
    terms, inferred = compute_terms(model, ELBO(), images)
    expected = inferred.posteriors[0].log_prob(inferred.code) - model.prior().log_prob(
        inferred.code
    )
    assert inferred.kls == (None,)
    assert terms.kl is not None
    torch.testing.assert_close(terms.kl, expected)


def test_parts_that_do_not_fit_are_refused_by_name(make_network: MakeNetwork) -> None:
    with pytest.raises(
        ValueError, match=r"network\.parameters_per_latent=2: point takes .* with 1"
    ):
        FlatModel(make_network(), UnitGaussian(), PointPosterior())
    with pytest.raises(ValueError, match=r"prior\.latent_dim=4: must be that of the network, 3"):
        FlatModel(make_network(), UnitGaussian(), prior=MixturePrior(4))
    wide = Bernoulli()
    wide.parameters_per_channel = 2
    with pytest.raises(ValueError, match=r"parameters_per_channel=1: bernoulli takes .* with 2"):
        FlatModel(make_network(), wide)
    with pytest.raises(ValueError, match=r"^network=plain: posterior=vq takes network=grid"):
        FlatModel(make_network(), UnitGaussian(), VectorQuantised(3, 5), UniformCodes())
    grid = GridNetwork(SHAPE, 6, [4, 4], [1, 1])
    with pytest.raises(ValueError, match=r"^posterior\.code_dim=3: must be network\.code_dim, 6\."):
        FlatModel(grid, UnitGaussian(), VectorQuantised(3, 5), UniformCodes())


def test_the_network_of_a_hierarchy_is_refused_also_with_one_level() -> None:
    for levels, said in ((1, "has the passes of a hierarchy"), (2, "is a network of 2 level")):
        network = DeepResidualNetwork((1, 8, 8), 3, [4, 4], [1, 1], levels=levels)
        with pytest.raises(ValueError, match=rf"^network=residual_deep: {said}.*reslag_deep"):
            FlatModel(network, UnitGaussian())


def test_every_parameter_is_in_exactly_one_group(make_network: MakeNetwork) -> None:
    model = FlatModel(make_network(), UnitGaussian(), prior=MixturePrior(3, 2))
    grouped = [p for modules in model.groups().values() for m in modules for p in m.parameters()]
    assert len(grouped) == len({id(parameter) for parameter in grouped})
    assert {id(parameter) for parameter in grouped} == {id(p) for p in model.parameters()}


@torch.no_grad()
def test_log_likelihood_is_that_of_the_likelihood_at_the_decoded_parameters(
    make_network: MakeNetwork, images: torch.Tensor
) -> None:
    binary, code = (images > 127).float(), torch.randn(5, 3)
    model = FlatModel(make_network(), Bernoulli()).eval()
    logits = model.network.generative(code)
    expected = torch.distributions.Bernoulli(logits=logits).log_prob(binary).flatten(1).sum(1)
    torch.testing.assert_close(model.log_likelihood(binary, code), expected)
    torch.testing.assert_close(model.decode(code), logits.sigmoid())


@torch.no_grad()
def test_a_temperature_of_zero_draws_the_centre_of_the_prior(model: FlatModel) -> None:
    assert torch.equal(model.sample(2, temperature=0.0), model.decode(torch.zeros(2, 3)))
    with pytest.raises(ValueError, match=r"^temperature=-1: must be a number from 0 to 1,000,000"):
        model.sample(2, temperature=-1)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_likelihood_without_parameters_leaves_the_latents_out_and_is_refused() -> None:
    likelihood = PixelCNN(SHAPE, channels=4, layers=1, parameters_per_channel=0)
    network = PlainNetwork(SHAPE, 3, [4, 6], [1, 1], parameters_per_channel=0)
    with pytest.raises(ValueError, match=r"^likelihood\.parameters_per_channel=0: leaves the lat"):
        FlatModel(network, likelihood)


@torch.no_grad()
def test_steps_between_an_image_and_itself_are_the_same_sample() -> None:
    likelihood = PixelCNN(SHAPE, channels=4, layers=1, parameters_per_channel=2)
    network = PlainNetwork(SHAPE, 3, [4, 6], [1, 1], parameters_per_channel=2)
    image = torch.zeros(SHAPE, dtype=torch.uint8)
    steps = FlatModel(network, likelihood).eval().interpolate(image, image, steps=4)

    assert steps.shape == (4, *SHAPE)
    assert torch.equal(steps, steps[:1].expand_as(steps))

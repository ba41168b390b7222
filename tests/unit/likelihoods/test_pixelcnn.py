"""A PixelCNN as a likelihood: a normalised mass of whole images, which its samples follow."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from reslag_vae.likelihoods import PixelCNN, PixelCNNPlusPlus
from tests.contracts.numbers import assert_mean

SHAPE = (1, 2, 3)


def build(**options: object) -> PixelCNN:
    torch.manual_seed(0)
    likelihood = PixelCNN(
        **{"image_shape": SHAPE, "channels": 4, "layers": 2, "first_kernel": 3} | options  # type: ignore[arg-type]
    ).double()
    for parameter in likelihood.parameters():
        parameter.data.mul_(3)
    return likelihood


def every_image() -> Tensor:
    """(64, 1, 2, 3): all binary images of six pixels."""
    values = list(itertools.product([0.0, 1.0], repeat=6))
    return torch.tensor(values, dtype=torch.float64).view(-1, *SHAPE)


def parameters_for(likelihood: PixelCNN, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (1, likelihood.parameters_per_channel, 2, 3)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("options", [{}, {"kernel": 1}, {"conditioned": 1}])
@torch.no_grad()
def test_all_images_together_have_a_probability_of_one(options: dict[str, object]) -> None:
    likelihood, images = build(**options), every_image()
    for seed in range(3):
        parameters = parameters_for(likelihood, seed).expand(len(images), -1, -1, -1)
        total = likelihood.log_prob(images, parameters).exp().sum()
        assert float(total) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("layers", "per_channel"), [(2, 4), (3, 4), (4, 0)])
@torch.no_grad()
def test_with_short_cuts_all_images_have_a_probability_of_one(
    layers: int, per_channel: int
) -> None:
    likelihood = PixelCNNPlusPlus(SHAPE, "bernoulli", 4, layers, 3, 3, per_channel).double()
    for parameter in likelihood.parameters():
        parameter.mul_(3)
    images = every_image()
    parameters = parameters_for(likelihood).expand(64, -1, -1, -1)
    masses = likelihood.log_prob(images, parameters).exp()

    assert float(masses.sum()) == pytest.approx(1, abs=1e-12)
    assert masses.max() > 2 * masses.min()


def test_with_short_cuts_there_are_two_layers_or_more() -> None:
    with pytest.raises(ValueError, match=r"^likelihood\.layers=1: must be at least 2"):
        PixelCNNPlusPlus(SHAPE, layers=1)


@torch.no_grad()
def test_without_latents_all_images_have_a_probability_of_one() -> None:
    likelihood, images = build(parameters_per_channel=0), every_image()
    none = torch.zeros(len(images), 0, 2, 3, dtype=torch.float64)

    assert float(likelihood.log_prob(images, none).exp().sum()) == pytest.approx(1, abs=1e-12)


@torch.no_grad()
def test_samples_are_as_frequent_as_their_probability_says() -> None:
    likelihood, images = build(), every_image()
    parameters = parameters_for(likelihood)
    masses = likelihood.log_prob(images, parameters.expand(64, -1, -1, -1)).exp()
    many = parameters.expand(20_000, -1, -1, -1)
    samples = likelihood.sample(many, torch.Generator().manual_seed(2)).flatten(1)
    numbers = (samples @ (2.0 ** torch.arange(5, -1, -1, dtype=torch.float64))).long()

    assert_mean(torch.nn.functional.one_hot(numbers, 64).double(), masses)


@torch.no_grad()
def test_divergence_is_that_of_all_images() -> None:
    likelihood, images = build(), every_image()
    one, other = (parameters_for(likelihood, seed) for seed in (1, 2))
    logs = [likelihood.log_prob(images, own.expand(64, -1, -1, -1)) for own in (one, other)]
    expected = ((logs[0].exp() - logs[1].exp()) * (logs[0] - logs[1])).sum() / 2
    estimates = likelihood.divergence(one.expand(8000, -1, -1, -1), other.expand(8000, -1, -1, -1))

    assert_mean(estimates, expected)


@torch.no_grad()
def test_an_image_s_sample_does_not_depend_on_the_others() -> None:
    likelihood = build()
    parameters = torch.cat([parameters_for(likelihood, seed) for seed in range(4)])
    whole = likelihood.sample(parameters, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    parts = [likelihood.sample(part, generator) for part in parameters.split(2)]

    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("pixels", ["levels", "logistic_mixture"])
@torch.no_grad()
def test_samples_are_of_levels_under_autocast_too(pixels: str) -> None:
    likelihood = build(pixels=pixels).float()
    parameters = parameters_for(likelihood).float().expand(20, -1, -1, -1)
    with torch.autocast("cpu", torch.bfloat16):
        samples = likelihood.sample(parameters, torch.Generator().manual_seed(4))

    levels = (255 * samples).round()
    assert len(levels.unique()) > 20
    torch.testing.assert_close(samples, levels / 255, rtol=0, atol=1e-6)


@torch.no_grad()
def test_rec_is_that_of_each_pixel_s_mean_given_those_before() -> None:
    likelihood, images = build(), every_image()
    parameters = parameters_for(likelihood).expand(64, -1, -1, -1)
    means = likelihood.outputs(images, parameters).sigmoid()
    expected = (means - images).square().flatten(1).sum(1)

    torch.testing.assert_close(likelihood(images, parameters).rec, expected)
    assert likelihood.mean(parameters) is None


def test_the_card_says_the_field_and_the_cost() -> None:
    likelihood = PixelCNN((3, 64, 64), "logistic_mixture", channels=32, layers=4, kernel=5)
    images, parameters = torch.rand(1, 3, 64, 64), torch.rand(1, 48, 64, 64)
    with FlopCounterMode(display=False) as counter:
        likelihood.log_prob(images, parameters)
    said = float(likelihood.notes["cost"].split(" billion multiplications ")[0])

    assert "sees 9 rows above" in likelihood.notes["p(x|z)"]
    assert said == pytest.approx(counter.get_total_flops() / 2 / 1e9, rel=0.03)


@pytest.mark.parametrize("pixels", ["bernoulli", "levels", "logistic_mixture"])
def test_the_card_says_what_training_keeps_with_the_mass_of_the_pixels(pixels: str) -> None:
    likelihood = PixelCNN((1, 8, 8), pixels, channels=4, layers=2)
    images, parameters = torch.rand(1, 1, 8, 8).round(), torch.rand(1, 16, 8, 8)
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        likelihood(images, parameters.requires_grad_())
    for own in likelihood.parameters():
        kept.pop(own.untyped_storage().data_ptr(), None)
    size = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert f"training keeps {size / 1e6:,.3g} MB of it" in likelihood.notes["cost"]


@pytest.mark.parametrize(
    "options",
    [
        {"kernel": 4},
        {"first_kernel": 1},
        {"layers": 0},
        {"channels": 0},
        {"pixels": "gaussian"},
        {"conditioned": 0},
        {"conditioned": 100},
        {"parameters_per_channel": -1},
    ],
)
def test_wrong_sizes_are_refused(options: dict[str, object]) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=rf"^likelihood\.{name}="):
        build(**options)

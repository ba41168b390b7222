"""What every network promises."""

import pytest
import torch
from torch import Tensor

from reslag_vae import networks
from reslag_vae.networks import Network
from tests.contracts.parts import IMAGE_SHAPE, LATENT_DIM, Case, every

every_network = every(networks, Network)
COUNT = 4


def images_of(shape: tuple[int, int, int] = IMAGE_SHAPE) -> Tensor:
    return torch.rand(COUNT, *shape, dtype=torch.float64, generator=seeded(1))


def latents(network: Network) -> Tensor:
    size = (COUNT, network.latent_dim)
    return torch.randn(size, dtype=torch.float64, generator=seeded(2))


def inferred(network: Network, images: Tensor) -> Tensor:
    """The numbers of the posteriors of all levels, each given the means of those above."""
    if "hierarchy" not in network.provides:
        numbers: Tensor = network.inference(images)
        return numbers
    above, found, latents = None, [], []
    ways_up, every = passed_up(network, images)
    for level, features in enumerate(every):
        own = network.inference.numbers(level, features, above)
        found += [own, ways_up[level]]
        parts = [means_of(network, numbers) for numbers in (ways_up[level], own)]
        latents.append(torch.cat(parts, dim=1).detach())
        above = network.generative.join(level, above, latents).detach()
    return torch.cat(found, dim=1)


def passed_up(network: Network, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The numbers of what is inferred on the way up, by means, and the features of each level."""
    encoder = network.inference
    features = encoder.features(images)
    if "bidirectional" not in network.provides:
        return [images.new_empty(len(images), 0)] * len(features), features
    numbers = []
    for level in reversed(range(1, len(network.level_dims))):
        numbers.append(encoder.up_numbers(level, features[0]))
        joined, above = encoder.climb(level, features[0], means_of(network, numbers[-1]))
        features = [above, joined, *features[1:]]
    return [images.new_empty(len(images), 0), *reversed(numbers)], features


def means_of(network: Network, numbers: Tensor) -> Tensor:
    """The means among the numbers of a posterior."""
    return numbers[:, : numbers.shape[1] // network.parameters_per_latent]


def generated(network: Network, codes: Tensor) -> list[Tensor]:
    """The likelihood's numbers of latents, and those of each level's prior in a hierarchy."""
    outputs = [network.generative(codes)]
    if "hierarchy" in network.provides:
        *levels, _ = codes.split(list(network.level_dims), dim=1)
        above = None
        for level in range(len(levels)):
            above = network.generative.join(level, above, levels[: level + 1])
            outputs.append(network.generative.numbers(level + 1, above))
    return outputs


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@every_network
@pytest.mark.parametrize("shape", [IMAGE_SHAPE, (1, 9, 7), (3, 4, 13)])
@pytest.mark.parametrize(("per_latent", "per_channel"), [(1, 1), (2, 1), (2, 3)])
def test_shapes(case: Case, shape: tuple[int, int, int], per_latent: int, per_channel: int) -> None:
    network = case.build(
        image_shape=shape, parameters_per_latent=per_latent, parameters_per_channel=per_channel
    ).double()
    channels, *size = shape
    numbers = network.level_parameters

    assert inferred(network, images_of(shape)).shape == (COUNT, sum(numbers))
    assert network.generative(latents(network)).shape == (COUNT, channels * per_channel, *size)
    assert (network.image_shape, network.latent_dim) == (shape, sum(network.level_dims))
    # A grid has as many numbers at each of its positions.
    whole = "grid" in network.provides and network.latent_dim % LATENT_DIM == 0
    assert whole or LATENT_DIM in network.level_dims
    assert len(numbers) == len(network.level_dims)
    assert numbers[0] == network.level_dims[0] * per_latent
    assert network.parameters_per_latent == per_latent
    assert network.parameters_per_channel == per_channel


@every_network
def test_the_halves_hold_every_tensor_once(case: Case) -> None:
    network = case.build()
    halves = []
    for half in (network.inference, network.generative):
        halves.append({id(tensor) for tensor in (*half.parameters(), *half.buffers())})

    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == {
        id(tensor) for tensor in (*network.parameters(), *network.buffers())
    }


@every_network
def test_gradients_reach_every_parameter_of_one_half_alone(case: Case) -> None:
    network = case.build().double()
    inferred(network, images_of()).square().sum().backward()
    assert all(reached(parameter) for parameter in network.inference.parameters())
    assert all(parameter.grad is None for parameter in network.generative.parameters())

    network.zero_grad()
    costs = [own.square().sum() for own in generated(network, latents(network))]
    torch.stack(costs).sum().backward()
    assert all(reached(parameter) for parameter in network.generative.parameters())
    assert all(parameter.grad is None for parameter in network.inference.parameters())


def reached(parameter: Tensor) -> bool:
    return parameter.grad is not None and bool((parameter.grad != 0).any())


@every_network
@torch.no_grad()
def test_at_evaluation_an_image_s_outputs_do_not_depend_on_the_others(case: Case) -> None:
    network = case.build().double().eval()
    images, codes = images_of(), latents(network)
    rows = [slice(i, i + 1) for i in range(COUNT)]
    alone = torch.cat([inferred(network, images[row]) for row in rows])
    torch.testing.assert_close(inferred(network, images), alone, rtol=1e-9, atol=1e-12)
    parts = zip(*(generated(network, codes[row]) for row in rows), strict=True)
    for together, own in zip(generated(network, codes), parts, strict=True):
        torch.testing.assert_close(together, torch.cat(own), rtol=1e-9, atol=1e-12)


@every_network
@torch.no_grad()
def test_outputs_depend_on_every_latent(case: Case) -> None:
    network = case.build().double().eval()
    codes = latents(network)
    outputs = network.generative(codes)
    for i in range(network.latent_dim):
        moved = codes.clone()
        moved[:, i] += 1
        assert not torch.equal(network.generative(moved), outputs)


@every(networks, Network, without="grid")
def test_a_latent_as_large_as_the_image_is_refused(case: Case) -> None:
    with pytest.raises(ValueError, match=r"network\.latent_dim=128: "):
        case.build(latent_dim=128)

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

    assert network.inference(images_of(shape)).shape == (COUNT, sum(numbers))
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
    network.inference(images_of()).square().sum().backward()
    assert all(reached(parameter) for parameter in network.inference.parameters())
    assert all(parameter.grad is None for parameter in network.generative.parameters())

    network.zero_grad()
    network.generative(latents(network)).square().sum().backward()
    assert all(reached(parameter) for parameter in network.generative.parameters())
    assert all(parameter.grad is None for parameter in network.inference.parameters())


def reached(parameter: Tensor) -> bool:
    return parameter.grad is not None and bool((parameter.grad != 0).any())


@every_network
@torch.no_grad()
def test_at_evaluation_an_image_s_outputs_do_not_depend_on_the_others(case: Case) -> None:
    network = case.build().double().eval()
    for half, inputs in ((network.inference, images_of()), (network.generative, latents(network))):
        alone = torch.cat([half(inputs[i : i + 1]) for i in range(COUNT)])
        torch.testing.assert_close(half(inputs), alone, rtol=1e-9, atol=1e-12)


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

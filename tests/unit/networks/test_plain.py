import pytest
import torch
from torch import nn

from reslag_vae.networks import PlainNetwork

SIZES = [(28, 28), (29, 31), (32, 32), (64, 64), (8, 8)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("per_latent", [1, 2])
@pytest.mark.parametrize("per_channel", [1, 4])
def test_shapes(channels: int, size: tuple[int, int], per_latent: int, per_channel: int) -> None:
    shape = (channels, *size)
    network = PlainNetwork(shape, 5, [4, 6, 8], [1, 2, 1], per_latent, per_channel)
    parameters = network.inference(torch.rand(2, *shape))
    outputs = network.generative(torch.randn(2, 5))

    assert parameters.shape == (2, 5 * per_latent)
    assert outputs.shape == (2, channels * per_channel, *size)
    assert outputs.min() < 0 < outputs.max(), "before the link"


@pytest.mark.parametrize("size", SIZES)
def test_every_parameter_is_reached_by_a_gradient(size: tuple[int, int]) -> None:
    network = PlainNetwork((3, *size), 5, [4, 6, 8], [1, 2, 1])
    parameters = network.inference(torch.rand(4, 3, *size))
    latents = parameters[:, :5] + parameters[:, 5:] * torch.randn(4, 5)
    network.generative(latents).square().sum().backward()

    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_halves_share_nothing() -> None:
    network = PlainNetwork((1, 8, 8), 3, [4, 8], [2, 2])
    inference, generative = (
        {id(tensor) for tensor in (*half.parameters(), *half.buffers())}
        for half in (network.inference, network.generative)
    )
    assert inference
    assert generative
    assert not inference & generative
    assert inference | generative == {
        id(tensor) for tensor in (*network.parameters(), *network.buffers())
    }


def test_as_many_convolutions_as_blocks_on_each_side() -> None:
    network = PlainNetwork((1, 28, 28), 5, [4, 6, 8], [2, 2, 1])
    for half in (network.inference, network.generative):
        assert sum(isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) for m in half.modules()) == 5


@pytest.mark.parametrize("latent_dim", [64, 65])
def test_latent_must_be_smaller_than_the_image(latent_dim: int) -> None:
    with pytest.raises(
        ValueError, match=rf"network\.latent_dim={latent_dim}: .*64 numbers \(1 x 8 x 8\)"
    ):
        PlainNetwork((1, 8, 8), latent_dim, [4], [1])
    PlainNetwork((1, 8, 8), 63, [4], [1])


@pytest.mark.parametrize(
    ("channels", "blocks"), [([4, 8], [1]), ([], []), ([4, 0], [1, 1]), ([4, 8], [1, 0])]
)
def test_stages_need_a_channel_and_a_block_count_each(
    channels: list[int], blocks: list[int]
) -> None:
    with pytest.raises(ValueError, match=r"network\.(channels|blocks)="):
        PlainNetwork((1, 8, 8), 3, channels, blocks)


@pytest.mark.parametrize("size", [(7, 28), (28, 7)])
def test_stages_must_fit_the_image(size: tuple[int, int]) -> None:
    with pytest.raises(
        ValueError,
        match=rf"3 stages halve an image 3 times, and {size[0]} x {size[1]} is too small",
    ):
        PlainNetwork((1, *size), 3, [4, 4, 4], [1, 1, 1])
    PlainNetwork((1, *size), 3, [4, 4], [1, 1])

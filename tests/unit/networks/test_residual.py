from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from reslag_vae.networks import LightResidualNetwork, PlainNetwork, ResidualNetwork
from reslag_vae.networks.residual import ResidualDecoder, ResidualEncoder, connection_shapes

CONF = Path(__file__).parents[3] / "conf" / "data"
Kind = type[ResidualNetwork]
both_kinds = pytest.mark.parametrize("kind", [ResidualNetwork, LightResidualNetwork])


def recipe(dataset: str) -> dict[str, Any]:
    """The network's arguments in the recipe of a data set."""
    config: Any = OmegaConf.load(CONF / f"{dataset}.yaml")
    config.trainer = {"max_epochs": 40}
    settings: Any = OmegaConf.to_container(config.recipe, resolve=True)
    chosen = {key: settings[key] for key in ("latent_dim", "channels", "blocks", "residual")}
    return chosen | {"image_shape": tuple(settings["image_shape"])}


def parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@both_kinds
@pytest.mark.parametrize("size", [(28, 28), (29, 31), (32, 32), (64, 64), (8, 8)])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("per_channel", [1, 4])
def test_shapes_and_gradients(
    kind: Kind, size: tuple[int, int], residual: bool, per_channel: int
) -> None:
    network = kind(
        (3, *size), 5, [4, 6, 8], [1, 2, 1], residual, parameters_per_channel=per_channel
    )
    parameters = network.inference(torch.rand(4, 3, *size))
    outputs = network.generative(parameters[:, :5] + parameters[:, 5:] * torch.randn(4, 5))
    outputs.square().sum().backward()

    assert parameters.shape == (4, 10)
    assert outputs.shape == (4, 3 * per_channel, *size)
    assert outputs.min() < 0 < outputs.max(), "before the link"
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


LIGHT_CELEBA = [(1, 32, 32), (4, 16, 16), (16, 8, 8), (64, 4, 4)]


@pytest.mark.parametrize(("kind", "width"), [(LightResidualNetwork, 1), (ResidualNetwork, 4)])
def test_celeba_has_the_connections_of_figure_4(kind: Kind, width: int) -> None:
    expected = [(width * channels, *size) for channels, *size in LIGHT_CELEBA]
    assert connection_shapes((3, 64, 64), 4, width) == expected

    with torch.device("meta"):
        network = kind(**recipe("celeba"))
    encoder, decoder = network.inference, network.generative
    assert isinstance(encoder, ResidualEncoder)
    assert isinstance(decoder, ResidualDecoder)
    seen: list[tuple[int, ...]] = []
    for reduction in encoder.reductions:
        assert isinstance(reduction, nn.Conv2d)
        assert reduction.kernel_size == (1, 1)
        reduction.register_forward_hook(lambda _, __, output: seen.append(tuple(output.shape[1:])))
    encoder(torch.empty(2, 3, 64, 64, device="meta"))

    assert seen == expected
    assert encoder.to_parameters.in_features == decoder.from_latent.out_features == 4096 * width
    assert (encoder.to_parameters.out_features, decoder.from_latent.in_features) == (300, 150)


def test_encoder_concatenates_the_reductions_of_all_stages() -> None:
    network, images = (
        LightResidualNetwork((3, 16, 16), 5, [4, 6, 8], [1, 2, 1]).eval(),
        torch.rand(2, 3, 16, 16),
    )
    encoder = network.inference
    assert isinstance(encoder, ResidualEncoder)
    first = encoder.stages[0](images)
    second = encoder.stages[1](first)
    third = encoder.stages[2](second)
    parts = [encoder.reductions[i](f).flatten(1) for i, f in enumerate((first, second, third))]

    assert torch.equal(encoder(images), encoder.to_parameters(torch.cat(parts, 1)))


@both_kinds
def test_decoder_averages_1_to_1_then_2_to_1_then_3_to_1(kind: Kind) -> None:
    decoder = kind(**recipe("celeba")).generative
    assert isinstance(decoder, ResidualDecoder)
    joining: list[Tensor] = []
    entering: list[Tensor] = []
    leaving: list[Tensor] = []
    for expansion in decoder.expansions:
        expansion.register_forward_hook(lambda _, __, output: joining.append(output.clone()))
    for stage in decoder.stages:
        stage.register_forward_pre_hook(lambda _, inputs: entering.append(inputs[0].clone()))
        stage.register_forward_hook(lambda _, __, output: leaving.append(output.clone()))
    means = decoder(torch.randn(2, 150))

    assert means.shape == (2, 3, 64, 64)
    assert [tuple(t.shape[1:]) for t in joining] == [
        (256, 4, 4),
        (256, 8, 8),
        (128, 16, 16),
        (64, 32, 32),
    ]
    assert [tuple(t.shape[1:]) for t in leaving[:-1]] == [(256, 8, 8), (128, 16, 16), (64, 32, 32)]
    assert torch.equal(entering[0], joining[0])
    for held in (1, 2, 3):
        expected = (held * leaving[held - 1] + joining[held]) / (held + 1)
        torch.testing.assert_close(entering[held], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_cifar_has_three_levels(dataset: str) -> None:
    with torch.device("meta"):
        network = LightResidualNetwork(**recipe(dataset))
    encoder, decoder = network.inference, network.generative
    assert isinstance(encoder, ResidualEncoder)
    assert isinstance(decoder, ResidualDecoder)
    assert len(encoder.reductions) == len(decoder.expansions) == 3
    assert encoder.to_parameters.in_features == 3 * 256
    assert connection_shapes((3, 32, 32), 3, 1) == [(1, 16, 16), (4, 8, 8), (16, 4, 4)]


@pytest.mark.parametrize("dataset", ["celeba", "cifar10"])
def test_light_has_little_more_than_half_of_the_parameters(dataset: str) -> None:
    with torch.device("meta"):
        light, original = (
            LightResidualNetwork(**recipe(dataset)),
            ResidualNetwork(**recipe(dataset)),
        )
    assert parameter_count(light) <= 0.6 * parameter_count(original)


@both_kinds
def test_without_connections_the_plain_network_remains(kind: Kind) -> None:
    arguments = {key: value for key, value in recipe("mnist").items() if key != "residual"}
    torch.manual_seed(0)
    ours = kind(**arguments, residual=False).state_dict()
    torch.manual_seed(0)
    plain = PlainNetwork(**arguments).state_dict()

    assert list(ours) == list(plain)
    assert all(torch.equal(ours[name], plain[name]) for name in plain)


@both_kinds
def test_nothing_passes_from_encoder_to_decoder_but_the_latent(kind: Kind) -> None:
    network = kind((3, 16, 16), 5, [4, 6, 8], [1, 2, 1])
    images, latents = torch.rand(4, 3, 16, 16).requires_grad_(), torch.randn(4, 5)
    before = network.generative(latents)
    parameters = network.inference(images)
    after = network.generative(latents)

    assert torch.equal(before, after)
    sources = [images, *network.inference.parameters()]
    assert set(torch.autograd.grad(after.sum(), sources, allow_unused=True)) == {None}
    (through,) = torch.autograd.grad(network.generative(parameters[:, :5]).sum(), images)
    assert through.abs().sum() > 0


@both_kinds
def test_the_halves_share_nothing(kind: Kind) -> None:
    network = kind((3, 16, 16), 5, [4, 6, 8], [1, 2, 1])
    storages = [
        {tensor.untyped_storage().data_ptr() for tensor in (*half.parameters(), *half.buffers())}
        for half in (network.inference, network.generative)
    ]
    modules = [
        {id(module) for module in half.modules()}
        for half in (network.inference, network.generative)
    ]

    assert not storages[0] & storages[1]
    assert not modules[0] & modules[1]


@both_kinds
@pytest.mark.parametrize("residual", [True, False])
def test_errors(kind: Kind, residual: bool) -> None:
    with pytest.raises(ValueError, match=r"network\.latent_dim=192: .*192 numbers \(3 x 8 x 8\)"):
        kind((3, 8, 8), 192, [4], [1], residual)
    with pytest.raises(ValueError, match=r"network\.channels=\[4, 4, 4, 4\]: .*8 x 8 is too small"):
        kind((3, 8, 8), 5, [4] * 4, [1] * 4, residual)
    with pytest.raises(ValueError, match=r"blocks=\[1\]"):
        kind((3, 8, 8), 5, [4, 4], [1], residual)

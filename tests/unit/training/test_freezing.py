from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from reslag_vae.likelihoods import Gaussian, LearnedVariance
from reslag_vae.networks import LightResidualNetwork, Network, PlainNetwork
from reslag_vae.training.freezing import frozen

Maker = Callable[[], Network]
every_network = pytest.mark.parametrize(
    "make",
    [
        lambda: PlainNetwork((1, 8, 8), 3, [4, 8], [2, 1]),
        lambda: LightResidualNetwork((1, 8, 8), 3, [4, 8], [2, 1]),
    ],
    ids=["plain", "residual"],
)


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(before: dict[str, Tensor], module: nn.Module) -> bool:
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def reconstruct(network: Network, images: Tensor) -> Tensor:
    """Training's path: a sample of the posterior, decoded."""
    mean, log_variance = network.inference(images).chunk(2, 1)
    return network.generative(mean + (log_variance / 2).exp() * torch.randn_like(mean))


@every_network
@pytest.mark.parametrize("held", ["inference", "generative"])
def test_nothing_of_the_frozen_half_changes(make: Maker, held: str) -> None:
    network, images = make(), torch.rand(6, 1, 8, 8)
    still = getattr(network, held)
    moving = network.generative if held == "inference" else network.inference
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    # A step before leaves moments in the optimizer, which would move parameters with a gradient of
    # zero.
    reconstruct(network, images).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    before_still, before_moving = state(still), state(moving)

    with frozen(still):
        reconstruct(network, images).square().sum().backward()
        optimizer.step()

    assert same(before_still, still)
    assert all(parameter.grad is None for parameter in still.parameters())
    assert not any(torch.equal(p, before_moving[name]) for name, p in moving.named_parameters())
    assert all(p.requires_grad for p in network.parameters())


@every_network
def test_gradient_reaches_the_input_of_a_frozen_module(make: Maker) -> None:
    network, latents = make(), torch.randn(4, 3, requires_grad=True)
    (free,) = torch.autograd.grad(network.generative(latents).square().sum(), latents)
    with frozen(network.generative):
        (held,) = torch.autograd.grad(network.generative(latents).square().sum(), latents)

    assert free.abs().sum() > 0
    torch.testing.assert_close(held, free)


@every_network
def test_the_function_is_that_of_training(make: Maker) -> None:
    network, latents = make(), torch.randn(4, 3)
    free = network.generative(latents)
    with frozen(network.generative):
        held = network.generative(latents)

    assert torch.equal(held, free)
    assert not torch.allclose(network.eval().generative(latents), free), (
        "running averages would not be told apart"
    )


@every_network
def test_evaluation_inside_uses_the_running_averages(make: Maker) -> None:
    network, latents = make().eval(), torch.randn(4, 3)
    free = network.generative(latents)
    with frozen(network.generative):
        assert torch.equal(network.generative(latents), free)


@every_network
def test_what_was_is_restored_after_an_exception(make: Maker) -> None:
    network = make()
    with pytest.raises(RuntimeError, match="to have 1 channels"), frozen(network):
        reconstruct(network, torch.rand(4, 7, 8, 8))

    assert all(parameter.requires_grad for parameter in network.parameters())
    before = state(network)
    reconstruct(network, torch.rand(4, 1, 8, 8))
    assert not same(before, network), "batch normalisation has not started again"


def test_parameters_and_norms_that_were_frozen_stay_frozen() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.BatchNorm2d(2, track_running_stats=False)
    )
    convolution, norm = module[0], module[2]
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    convolution.weight.requires_grad_(False)
    with frozen(module):
        pass

    assert [name for name, p in module.named_parameters() if not p.requires_grad] == ["0.weight"]
    assert not norm.track_running_stats
    module(torch.rand(2, 1, 3, 3))


def test_a_context_that_is_entered_again_leaves_alone_what_others_have_frozen_since() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    norm = module[1]
    assert isinstance(norm, nn.BatchNorm2d)
    context = frozen(module)
    with context:
        pass
    # As a callback of fine tuning does it between two epochs.
    norm.requires_grad_(False)
    norm.track_running_stats = False
    with context:
        pass

    trained = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    assert trained == ["0.weight", "0.bias"]
    assert not norm.track_running_stats


def test_several_modules_and_nesting() -> None:
    network = PlainNetwork((1, 8, 8), 3, [4], [1])
    likelihood = Gaussian(LearnedVariance((1, 8, 8)))
    with frozen(network.generative, likelihood):
        with frozen(network.generative):
            pass
        assert not any(
            p.requires_grad for p in (*network.generative.parameters(), *likelihood.parameters())
        )
        assert all(p.requires_grad for p in network.inference.parameters())
    assert all(p.requires_grad for p in (*network.parameters(), *likelihood.parameters()))

"""What all networks share."""

import copy

import pytest
import torch

from reslag_vae.networks import LightResidualNetwork, Network, PlainNetwork, ResidualNetwork


@pytest.mark.parametrize("kind", [PlainNetwork, ResidualNetwork, LightResidualNetwork])
def test_channels_last_changes_nothing_but_rounding(kind: type[Network]) -> None:
    network = kind((3, 14, 18), 5, [4, 6, 8], [1, 2, 1]).double()  # type: ignore[call-arg, arg-type]
    usual = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    images, noise = (
        torch.rand(4, 3, 14, 18, dtype=torch.float64),
        torch.randn(4, 5, dtype=torch.float64),
    )
    gradients = []
    for one in (network, usual):
        mean, other = one.inference(images).chunk(2, dim=1)
        reconstruction = one.generative(mean + other * noise)
        (reconstruction - images).square().sum().backward()
        gradients.append([reconstruction, *(weight.grad for weight in one.parameters())])
    assert any(not weight.is_contiguous() for weight in network.parameters())
    assert all(weight.is_contiguous() for weight in usual.parameters())
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)

"""What all networks share."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

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


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        (lambda images: images, "^inference: a torch.nn.Module is wanted, .* this is function"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(4)), "^inference: its lazy layers have no"),
    ],
)
def test_what_has_no_weights_to_train_is_no_encoder(encoder: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Network(encoder, nn.Identity(), (1, 8, 8), 2)

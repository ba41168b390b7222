"""The decoder that sees the latent in every layer."""

import pytest
import torch
from torch import nn

from reslag_vae.networks.skip import SkipDecoder

LATENTS = 3


@pytest.mark.parametrize("size", [(8, 8), (9, 7)])
@torch.no_grad()
def test_the_latent_alone_reaches_every_convolution(size: tuple[int, int]) -> None:
    """The last one too, whose outputs are the likelihood's parameters."""
    decoder = SkipDecoder((1, *size), LATENTS, [4, 6], [2, 3], 1).eval()
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    convolutions = [module for module in decoder.modules() if isinstance(module, kinds)]
    maps = [own for own in decoder.skips.modules() if isinstance(own, nn.Linear)]
    assert len(maps) == len(convolutions) == 2 + 3
    weights = [own.weight.clone() for own in maps]
    for parameter in (*decoder.seed.parameters(), *decoder.skips.parameters()):
        parameter.zero_()
    latents = torch.randn(2, LATENTS)

    assert torch.equal(*decoder(latents))
    for own, weight in zip(maps, weights, strict=True):
        own.weight.copy_(weight)
        assert not torch.allclose(*decoder(latents))
        own.weight.zero_()

"""The sub-pixel form beside PyTorch's transposed convolution."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from reslag_vae.networks.upsampling import Doubling, subpixel

Traced = Callable[..., list[str]]


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 4)])
@pytest.mark.parametrize("biased", [True, False])
def test_the_subpixel_form_is_the_transposed_convolution(
    colours: int, size: tuple[int, int], biased: bool
) -> None:
    features = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, colours, 4, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(colours, dtype=torch.float64, requires_grad=True) if biased else None
    inputs = [tensor for tensor in (features, weight, bias) if tensor is not None]
    ours = subpixel(features, weight, bias)
    theirs = F.conv_transpose2d(features, weight, bias, stride=2, padding=1)
    torch.testing.assert_close(ours, theirs)
    along = torch.randn_like(theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours, inputs, along), torch.autograd.grad(theirs, inputs, along)
    )


def test_doubles_height_and_width() -> None:
    assert Doubling(2, 5, bias=True)(torch.zeros(1, 2, 3, 4)).shape == (1, 5, 6, 8)


@pytest.mark.parametrize("colours", [3, 5])
def test_the_subpixel_form_is_taken_where_a_compiled_layer_has_few_channels(
    colours: int, traced: Traced
) -> None:
    operations = traced(Doubling(2, colours, bias=True), torch.randn(1, 2, 3, 4))
    assert any("conv_transpose" in operation for operation in operations) is (colours == 5)

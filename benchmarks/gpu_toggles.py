"""Settings that are changed one at a time, to see what each is worth on a GPU."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks import contenders
from reslag_vae._runtime import process
from reslag_vae.likelihoods.pixels import unit_interval
from reslag_vae.models import terms
from reslag_vae.networks.upsampling import MOST_COLOURS, Doubling, subpixel
from reslag_vae.training.build import build


@contextmanager
def measured_convolutions() -> Iterator[None]:
    """Have cuDNN choose the algorithm of each convolution by trying them within the context."""
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = False


@contextmanager
def exact_products() -> Iterator[None]:
    """Have no product rounded to TF32 within the context."""
    process.allow_rounded_products(False)
    try:
        yield
    finally:
        process.allow_rounded_products(True)


@contextmanager
def sub_pixels() -> Iterator[None]:
    """Have the layer that ends in the image in its sub-pixel form within the context."""

    def forward(own: Doubling, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        if own.out_channels > MOST_COLOURS:
            return nn.ConvTranspose2d.forward(own, features, output_size)
        return subpixel(features, own.weight, own.bias)

    with patch.object(Doubling, "forward", forward):
        yield


@contextmanager
def channels_first() -> Iterator[None]:
    """Have images and weights with channels first in memory within the context."""

    def built(*arguments: Any) -> Any:
        data, model, trainer = build(*arguments)
        return data, model.to(memory_format=torch.contiguous_format), trainer

    def unit(images: Tensor) -> Tensor:
        return unit_interval(images).contiguous()

    with patch.object(contenders, "build", built), patch.object(terms, "unit_interval", unit):
        yield


TOGGLES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "cudnn.benchmark": measured_convolutions,
    "no TF32": exact_products,
    "sub-pixel last layer": sub_pixels,
    "channels first": channels_first,
}

"""The PixelCNN likelihood with short-cuts, whose first half sees the image alone."""

from typing import ClassVar

from reslag_vae.likelihoods.pixelcnn import PixelCNN
from reslag_vae.networks.base import ImageShape


class PixelCNNPlusPlus(PixelCNN):
    """p(x|z) by a PixelCNN in two halves, with short-cuts as in PixelCNN++.

    Salimans et al. 2017, https://arxiv.org/abs/1701.05517: the layers of the second half see those
    of the first in reverse order. Only the second half sees the latents, so that the first one is a
    function of the image and an encoder can use it. Unlike theirs, it is a gated PixelCNN without
    strides: samples are drawn from what each layer keeps of the pixels before.

    Args:
        image_shape: (C, H, W).
        pixels: mass of a pixel, as of `PixelCNN`.
        channels: features of each of the two stacks.
        layers: gated layers, at least 2: half of them, rounded down, in the first half.
        first_kernel: odd size of the first layer's field.
        kernel: odd size of the other layers' field.
        parameters_per_channel: features of the latents for each of the image's channels; 0 where
            there are no latents.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "pixelcnn_pp"
    provides = frozenset({"autoregressive", "first_half"})
    shortcuts: ClassVar[bool] = True

    def __init__(
        self,
        image_shape: ImageShape,
        pixels: str = "bernoulli",
        channels: int = 32,
        layers: int = 6,
        first_kernel: int = 7,
        kernel: int = 3,
        parameters_per_channel: int = 16,
    ) -> None:
        if layers == 1:
            raise ValueError("likelihood.layers=1: must be at least 2, one for each half.")
        super().__init__(
            image_shape=image_shape,
            pixels=pixels,
            channels=channels,
            layers=layers,
            first_kernel=first_kernel,
            kernel=kernel,
            parameters_per_channel=parameters_per_channel,
        )

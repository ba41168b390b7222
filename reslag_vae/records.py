"""What crosses the borders between data, networks, objectives and models."""

from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """A minibatch of images.

    Attributes:
        images: (B, C, H, W), uint8 in 0..255 as the data modules hold it, or floating point in [0,
            1].
        labels: (B,) int64 class numbers; -1 where the data set has none.
    """

    images: Tensor
    labels: Tensor


class Terms(NamedTuple):
    """The named terms of an objective on one minibatch, per image and unreduced.

    Attributes:
        loss: (B,) what is minimised in the mean over images, in the objective's own unit (see its
            card).
        rec: (B,) sum of squared errors over the C·H·W pixels in [0, 1].
        kl: (B, d) KL(q(z|x) || N(0, I)) of each latent dimension in nats; None where the posterior
            is a point.
        mmd: () squared maximum mean discrepancy of the minibatch's latents; None where the
            objective has none.
        sigma2: (1|B, 1|C, 1|H, 1|W) likelihood variance in use; None where the objective has none.
        floored: () share of sigma2's entries held up by the floor; None where the objective has no
            floor.
    """

    loss: Tensor
    rec: Tensor
    kl: Tensor | None
    mmd: Tensor | None = None
    sigma2: Tensor | None = None
    floored: Tensor | None = None


def unit_interval(images: Tensor) -> Tensor:
    """(B, C, H, W) images as floating point in [0, 1].

    uint8 is divided by 255 into float32, with channels last in memory as in the networks; floating
    point is taken to be in [0, 1] and returned as it is.
    """
    if images.dtype != torch.uint8:
        return images
    return images.to(torch.float32).div_(255).contiguous(memory_format=torch.channels_last)

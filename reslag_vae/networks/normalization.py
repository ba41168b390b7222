"""Batch normalisation over all processes, whose training pass compiles well on a CPU."""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from reslag_vae._runtime import collectives


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose moments are those of the minibatches of all processes together.

    Everything else is as in PyTorch, but for how it is compiled on a CPU.

    One number has no variance: a minibatch with only one number for each channel is normalised as
    in evaluation.

    Compiled for a CPU, PyTorch's own module takes the moments by Welford's recurrence, in one pass
    for every 16 channels. `normalised` computes the same in a form that compiles to two passes, the
    second of which includes the layers that follow.

    Args:
        channels: C, the number of channels.
    """

    # These are never None: only an nn.BatchNorm2d of other arguments is without them.
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return (B, C, H, W) features, normalised for each channel."""
        count = features.numel() // features.shape[1]
        # The last minibatch of an epoch may be one image, here of one pixel.
        if self.training and count * collectives.count() < 2:
            return F.batch_norm(
                features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        if self.training and collectives.count() > 1:
            return self._over_processes(features, count * collectives.count())
        compiled = self.training and torch.compiler.is_compiling() and features.device.type == "cpu"
        if not compiled:
            return super().forward(features)
        result, mean, variance = normalised(features, self.weight, self.bias, self.eps)
        self._update_running(mean, variance, count)
        return result

    def _over_processes(self, features: Tensor, count: int) -> Tensor:
        """Normalise by the moments of `count` numbers for each channel, over all processes."""
        x = features.to(torch.promote_types(features.dtype, torch.float32))
        mean = collectives.mean(x.mean((0, 2, 3)))
        difference = x - mean[:, None, None]
        variance = collectives.mean(difference.square().mean((0, 2, 3)))
        scale = self.weight * (variance + self.eps).rsqrt()
        self._update_running(mean, variance, count)
        return (difference * scale[:, None, None] + self.bias[:, None, None]).to(features.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if not self.track_running_stats:
            return
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        self.num_batches_tracked.add_(1)


def with_running_averages(module: nn.Module, images: Tensor) -> Tensor:
    """Return what a module makes of images, its batch normalisation as in evaluation.

    Gradients reach its parameters; none of its buffers changes.
    """
    norms = [own for own in module.modules() if isinstance(own, _BatchNorm) and own.training]
    # Copies: the backward pass needs the averages as they were, and other images change them.
    averages = {name: buffer.clone() for name, buffer in module.named_buffers()}
    try:
        for norm in norms:
            norm.training = False
        result: Tensor = functional_call(module, averages, (images,))
    finally:
        for norm in norms:
            norm.training = True
    return result


def normalised(
    features: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (x - mean) / sqrt(variance + eps) · weight + bias, and the moments of x.

    Ioffe & Szegedy 2015, section 3, https://arxiv.org/abs/1502.03167. Sums, those of the gradients
    too, run over the pixels of each image first, which then lie in the cache, and over the images
    last. Both moments come from one pass, as sums of differences from the first pixel of the
    minibatch: far from zero, sums of the numbers themselves would cancel.

    Args:
        features: x, (B, C, H, W); the computation is in float32 or better.
        weight: (C,) scale of each channel.
        bias: (C,) offset of each channel.
        eps: small number that keeps the root from zero.

    Returns:
        (B, C, H, W) normalised features in the type of x, (C,) means and (C,) biased variances.
    """
    x = features.to(torch.promote_types(features.dtype, torch.float32))
    shift, share = x[:1, :, :1, :1].detach(), features.shape[1] / features.numel()
    difference = x - shift
    first = difference.sum((2, 3)).sum(0) * share
    second = difference.square().sum((2, 3)).sum(0) * share
    variance = (second - first.square()).clamp_min(0)
    scale = weight * (variance + eps).rsqrt()
    # One row for each image, not one for all: so the sums of their gradients come in two steps as
    # well.
    offset = bias - first * scale
    rows = scale.expand(len(x), -1)[:, :, None, None]
    offsets = offset.expand(len(x), -1)[:, :, None, None]
    return (difference * rows + offsets).to(features.dtype), shift.flatten() + first, variance

"""Batch normalisation whose training pass compiles into few passes over memory."""

from typing import Any

import torch
from torch import Tensor, nn


class BatchNorm(nn.BatchNorm2d):
    """PyTorch's, but for how it is compiled on a CPU.

    There PyTorch's compiler takes the moments by Welford's recurrence, in one pass for every 16 channels, and divides
    at every number; `Normalise` says the same so that it becomes two passes, one of which the next layer shares.
    """

    def forward(self, features: Tensor) -> Tensor:
        if not (self.training and torch.compiler.is_compiling() and features.device.type == "cpu"):
            return super().forward(features)
        normalised: Tensor
        normalised, mean, variance = Normalise.apply(features, self.weight, self.bias, self.eps)
        if self.track_running_stats:
            self._follow(mean, variance, count=features.numel() // features.shape[1])
        return normalised

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        self.num_batches_tracked.add_(1)


class Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) · weight + bias over the minibatch (Ioffe & Szegedy 2015, section 3).

    https://arxiv.org/abs/1502.03167. Sums go over the pixels of each image first, which then lie in the cache, and
    over the images last. Both moments come from one pass, as sums of differences from the first pixel of the minibatch:
    far from zero, sums of the numbers themselves would cancel.

    Computes in float32 or better, and returns the type of its input; also (C,) mean and biased variance.
    """

    @staticmethod
    def forward(features: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        x = features.to(weight.dtype)
        shift, share = x[:1, :, :1, :1], 1 / _count(x)
        difference = x - shift
        distance, square = _summed(difference) * share, _summed(difference.square()) * share
        mean, variance = distance + shift.flatten(), (square - distance.square()).clamp_min(0)
        normalised = (x - _wide(mean)) * _wide(weight * (variance + eps).rsqrt()) + _wide(bias)
        return normalised.to(features.dtype), mean, variance

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        features, weight, _, ctx.eps = inputs
        _, mean, variance = output
        ctx.mark_non_differentiable(mean, variance)
        ctx.save_for_backward(features, weight, mean, variance)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        features, weight, mean, variance = ctx.saved_tensors
        g, scale = gradient.to(weight.dtype), (variance + ctx.eps).rsqrt()
        difference, share = features.to(weight.dtype) - _wide(mean), 1 / _count(features)
        to_bias, to_weight = _summed(g), _summed(g * difference) * scale
        centred = g - _wide(to_bias * share) - difference * _wide(to_weight * scale * share)
        return (centred * _wide(weight * scale)).to(features.dtype), to_weight, to_bias, None


def _count(features: Tensor) -> int:
    """Numbers of one channel."""
    return features.numel() // features.shape[1]


def _summed(features: Tensor) -> Tensor:
    """(B, C, H, W) to (C,)."""
    return features.sum((2, 3)).sum(0)


def _wide(channels: Tensor) -> Tensor:
    """(C,) to (C, 1, 1)."""
    return channels[:, None, None]

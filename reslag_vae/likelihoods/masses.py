"""Probability masses of one pixel, given the numbers that an autoregressive network has for it."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

# Values that a pixel of 8 bits has.
LEVELS = 256

# Bounds of the logarithm of a logistic's scale, on pixels in [-1, 1]: the lower one is Salimans et
# al.'s; far above the upper one, where nearly all mass lies beyond both ends, nothing is finite.
LOG_SCALES = (-7.0, 7.0)


class PixelMass(ABC):
    """The mass of a pixel's C channels.

    Args:
        channels: C.

    Attributes:
        name: of the choice, as in `likelihood.pixels=<name>` on the command line.
        binary: whether pixels must be 0 or 1.
        outputs: O, numbers that the network gives for a pixel.
        uniforms: U, numbers drawn evenly from [0, 1) that a sample is made of.

    Raises:
        ValueError: it takes another number of channels.
    """

    name: ClassVar[str]
    binary: ClassVar[bool] = False
    outputs: int
    uniforms: int

    @abstractmethod
    def __init__(self, channels: int) -> None: ...

    @abstractmethod
    def log_prob(self, images: Tensor, outputs: Tensor) -> Tensor:
        """Return the (B, H, W) log-probability of each pixel in nats.

        Args:
            images: (B, C, H, W) in [0, 1], of the values that a pixel may have.
            outputs: (B, O, H, W).
        """

    @abstractmethod
    def mean(self, outputs: Tensor) -> Tensor:
        """Return the (B, C, H, W) means of pixels with (B, O, H, W) outputs."""

    @abstractmethod
    def draw(self, outputs: Tensor, uniforms: Tensor) -> Tensor:
        """Return the (B, C) values of a pixel, from its (B, O) outputs and (B, U) uniforms."""


class BernoulliMass(PixelMass):
    """The mass of a pixel whose channels are 0 or 1, independent of each other."""

    name = "bernoulli"
    binary = True

    def __init__(self, channels: int) -> None:
        self.outputs = self.uniforms = channels

    def log_prob(self, images: Tensor, outputs: Tensor) -> Tensor:
        return -F.binary_cross_entropy_with_logits(outputs, images, reduction="none").sum(1)

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()

    def draw(self, outputs: Tensor, uniforms: Tensor) -> Tensor:
        return (uniforms < outputs.sigmoid()).to(outputs)


class LevelsMass(PixelMass):
    """The mass of a pixel of one channel with 256 levels, each of a probability of its own.

    van den Oord et al. 2016, https://arxiv.org/abs/1601.06759, section 2.2.
    """

    name = "levels"

    def __init__(self, channels: int) -> None:
        if channels != 1:
            raise ValueError(
                f"likelihood.pixels=levels: takes images of one channel, not of {channels}: "
                "likelihood.pixels=logistic_mixture takes colours."
            )
        self.outputs, self.uniforms = LEVELS, 1

    def log_prob(self, images: Tensor, outputs: Tensor) -> Tensor:
        levels = (images[:, 0] * (LEVELS - 1)).round().long()
        return -F.cross_entropy(outputs, levels, reduction="none")

    def mean(self, outputs: Tensor) -> Tensor:
        values = torch.linspace(0, 1, LEVELS, dtype=outputs.dtype, device=outputs.device)
        # Half precision would round the mean of white to a whole level.
        with torch.autocast(outputs.device.type, enabled=False):
            return torch.einsum("bvhw,v->bhw", outputs.softmax(1), values)[:, None]

    def draw(self, outputs: Tensor, uniforms: Tensor) -> Tensor:
        return invert(outputs, uniforms).to(outputs) / (LEVELS - 1)


class LogisticMixtureMass(PixelMass):
    """The mass of a pixel with 256 levels under a mixture of logistic densities.

    Salimans et al. 2017, https://arxiv.org/abs/1701.05517, sections 2.1 and 2.2: a level has the
    mass of its cell, the first and the last that of all beyond. A component's mean of a channel
    depends linearly on the channels before.

    Args:
        channels: C.
        components: K.
    """

    name = "logistic_mixture"

    def __init__(self, channels: int, components: int = 10) -> None:
        self.channels, self.components = channels, components
        self.pairs = channels * (channels - 1) // 2
        self.outputs = components * (1 + 2 * channels + self.pairs)
        self.uniforms = 1 + channels

    def log_prob(self, images: Tensor, outputs: Tensor) -> Tensor:
        weights, means, log_scales, slopes = self.parts(outputs)
        values = (2 * images - 1)[:, None]
        half = 1 / (LEVELS - 1)
        precision = (-log_scales).exp()
        distance = values - self.shifted(means, slopes, values)
        above, below = precision * (distance + half), precision * (distance - half)
        # ln(sigmoid(a) - sigmoid(b)) = ln sigmoid(a) + ln sigmoid(-b) + ln(1 - exp(b - a)).
        cell = torch.log(-torch.expm1(-2 * half * precision))
        first, last = F.logsigmoid(above), F.logsigmoid(-below)
        inner = first + last + cell
        log_mass = torch.where(
            values < half - 1, first, torch.where(values > 1 - half, last, inner)
        )
        return (weights.log_softmax(1) + log_mass.sum(2)).logsumexp(1)

    def mean(self, outputs: Tensor) -> Tensor:
        """Return the means of the components' means in [0, 1], each channel given those before.

        They are those of logistic variables clipped to [0, 1], before they are rounded to levels.
        """
        weights, means, log_scales, slopes = self.parts(outputs)
        clipped = torch.zeros_like(means)
        for channel in range(self.channels):
            centre = self.shifted(means, slopes, clipped)[:, :, channel]
            clipped[:, :, channel] = clipped_mean(centre, log_scales[:, :, channel].exp())
        mixed = (weights.softmax(1)[:, :, None] * clipped).sum(1)
        return (mixed + 1) / 2

    def draw(self, outputs: Tensor, uniforms: Tensor) -> Tensor:
        weights, means, log_scales, slopes = self.parts(outputs[:, :, None, None])
        chosen = invert(weights[..., 0, 0], uniforms[:, :1])[:, 0]
        rows = torch.arange(len(chosen), device=chosen.device)
        own = [part[rows, chosen][:, None] for part in (means, log_scales, slopes)]
        values = torch.zeros_like(own[0])
        noise = torch.logit(uniforms[:, 1:])[:, None, :, None, None]
        for channel in range(self.channels):
            mean = self.shifted(own[0], own[2], values)[:, :, channel]
            drawn = mean + own[1][:, :, channel].exp() * noise[:, :, channel]
            levels = ((drawn.clamp(-1, 1) + 1) / 2 * (LEVELS - 1)).round()
            values[:, :, channel] = 2 * levels / (LEVELS - 1) - 1
        return (values[:, 0, :, 0, 0] + 1) / 2

    def parts(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return what (B, O, H, W) outputs stand for, on pixels scaled to [-1, 1].

        Returns:
            (B, K, H, W) logits of the components.
            (B, K, C, H, W) means, before the channels' dependence.
            (B, K, C, H, W) natural logarithms of the scales.
            (B, K, C (C - 1) / 2, H, W) slopes in (-1, 1), of (1, 0), (2, 0), (2, 1), ...
        """
        sizes = [1, self.channels, self.channels, self.pairs]
        count, _, *size = outputs.shape
        own = outputs.reshape(count, self.components, sum(sizes), *size)
        weights, means, log_scales, slopes = torch.split(own, sizes, dim=2)
        return (
            weights[:, :, 0],
            means,
            log_scales.clamp(*LOG_SCALES),
            slopes.tanh(),
        )

    def shifted(self, means: Tensor, slopes: Tensor, values: Tensor) -> Tensor:
        """Return means (B, K, C, H, W) moved by the channels before, which have `values`."""
        rows = []
        for channel in range(self.channels):
            row, start = means[:, :, channel], channel * (channel - 1) // 2
            for other in range(channel):
                row = row + slopes[:, :, start + other] * values[:, :, other]
            rows.append(row)
        return torch.stack(rows, dim=2)


def clipped_mean(centre: Tensor, scale: Tensor) -> Tensor:
    """Return the mean of a logistic variable clipped to [-1, 1]: -1 + the integral of 1 - F."""
    upper, lower = F.softplus((centre + 1) / scale), F.softplus((centre - 1) / scale)
    return scale * (upper - lower) - 1


def invert(logits: Tensor, uniforms: Tensor) -> Tensor:
    """Return the (B, 1) categories whose cells of [0, 1) hold (B, 1) uniforms, by (B, K) logits."""
    bounds = logits.softmax(1).cumsum(1)
    return (bounds <= uniforms).sum(1, keepdim=True).clamp(max=logits.shape[1] - 1)


# The masses by their names.
MASSES: dict[str, type[PixelMass]] = {
    mass.name: mass for mass in (BernoulliMass, LevelsMass, LogisticMixtureMass)
}

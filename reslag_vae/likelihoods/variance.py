"""The rules for the variance of the Gaussian likelihood."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from reslag_vae._runtime import collectives
from reslag_vae._runtime.described import Described
from reslag_vae.options import require

Granularity = Literal["global", "channel", "pixel", "image"]

# Variance of the rounding error of 8-bit images. Below it a likelihood models the rounding, not the
# image.
SIGMA2_FLOOR = (1 / 255) ** 2 / 12

_AVERAGED = {"global": (0, 1, 2, 3), "channel": (0, 2, 3), "pixel": (0,), "image": (1, 2, 3)}


class VarianceRule(Described, nn.Module, ABC):
    """A rule for s2, the variance of the Gaussian likelihood.

    Attributes:
        name: name of the rule, as in `likelihood=<name>` and `objective=<name>` on the command
            line.
        provides: capabilities that variants may require.
    """

    name: ClassVar[str]
    provides: ClassVar[frozenset[str]] = frozenset({"sigma_rule"})

    @abstractmethod
    def forward(self, images: Tensor, squares: Tensor) -> Tensor:
        """Return s2 before the floor, broadcastable to the images.

        Args:
            images: (B, C, H, W) images in [0, 1].
            squares: (B, C, H, W) squared errors; no gradient is needed through the variance.
        """

    @abstractmethod
    def expected(self) -> Tensor:
        """Return s2 before the floor at evaluation, which does not depend on any image.

        It is broadcastable to (1, C, H, W).
        """

    @property
    @abstractmethod
    def notes(self) -> dict[str, str]:
        """The lines of the objective card: label -> text."""

    def observe(self, sigma2: Tensor) -> None:
        """Note the variance of a training minibatch.

        Args:
            sigma2: variance, (1|B, 1|C, 1|H, 1|W).
        """


class MovingVariance(VarianceRule):
    """A rule that computes s2 from each training minibatch, and its moving average for evaluation.

    Args:
        image_shape: (C, H, W) of the images.
        granularity: one s2 for all (`global`), for each `channel`, `pixel` (of each channel) or
            `image`. The evaluation value never depends on the evaluated image: for `image` it is
            the average over images.
        decay: decay of the exponential moving average, which is corrected for its start.

    Raises:
        ValueError: an argument is out of its range.
    """

    running: Tensor
    weight: Tensor

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        granularity: Granularity = "global",
        decay: float = 0.99,
    ) -> None:
        super().__init__()
        require("likelihood.variance.image_shape", image_shape)
        require("likelihood.variance.granularity", granularity)
        require("likelihood.variance.decay", decay)
        self.granularity, self.decay = granularity, decay
        averaged = (0, *_AVERAGED[granularity])
        shape = [1 if axis in averaged else size for axis, size in enumerate((1, *image_shape))]
        # In float32 both would stop short of their ends in long runs, by some 1e-4 of them.
        self.register_buffer("running", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("weight", torch.zeros((), dtype=torch.float64))

    @abstractmethod
    def minibatch_variance(self, images: Tensor, squares: Tensor) -> Tensor:
        """Return s2 of a training minibatch; the arguments are those of `forward`."""

    def forward(self, images: Tensor, squares: Tensor) -> Tensor:
        if self.training:
            return self.minibatch_variance(images, squares)
        return self.expected().to(squares.dtype)

    def expected(self) -> Tensor:
        # Before the first training step nothing is known: the variance of uniform noise.
        known = self.running / self.weight.clamp_min(1e-12)
        return torch.where(self.weight > 0, known, 1 / 12)

    @torch.no_grad()
    def observe(self, sigma2: Tensor) -> None:
        # Where each image has its own variance, the processes have different ones.
        value = collectives.mean(sigma2.mean(0, keepdim=True))
        self.running.lerp_(value.to(self.running.dtype), 1 - self.decay)
        self.weight.lerp_(torch.ones_like(self.weight), 1 - self.decay)

    def average(self, values: Tensor) -> Tensor:
        """Return the mean of (B, C, H, W) values over the axes that share one variance.

        It is the mean over all processes.
        """
        axes = _AVERAGED[self.granularity]
        means = values.mean(axes, keepdim=True)
        return collectives.mean(means) if 0 in axes else means


class DataVariance(MovingVariance):
    """The rule that s2 is the population variance of the minibatch's pixel values.

    It is the thesis' rule, and gives its Table 1. The variance is that of the data and not of the
    residual, so it does not follow the model as it learns; see `OptimalVariance` for that. As it is
    no optimum, it moves the loss in first order: with D = 784, one per cent is 3.5 nats. Hence the
    long moving average: with a short one, chance would choose the best epoch.
    """

    name: ClassVar[str] = "sigma_data"

    def __init__(self, image_shape: tuple[int, int, int], decay: float = 0.9999) -> None:
        super().__init__(image_shape, "global", decay)

    @property
    def notes(self) -> dict[str, str]:
        return {"s2": "variance of the minibatch's pixels; moving average at evaluation"}

    def minibatch_variance(self, images: Tensor, squares: Tensor) -> Tensor:
        if collectives.count() == 1:
            return images.var(unbiased=False).view(1, 1, 1, 1)
        centre = collectives.mean(images.mean())
        return collectives.mean((images - centre).square().mean()).view(1, 1, 1, 1)


class OptimalVariance(MovingVariance):
    """The rule that s2 is the minibatch's mean squared error, the optimum of the likelihood.

    Rybkin et al. 2021, https://arxiv.org/abs/2006.13202, Eq. 5. By the envelope theorem the
    gradient is the same whether or not it flows through s2, so s2 is held constant.
    """

    name: ClassVar[str] = "sigma_optimal"

    @property
    def notes(self) -> dict[str, str]:
        return {
            "s2": f"mean squared error of the minibatch, {self.granularity}; "
            "moving average at evaluation",
        }

    def minibatch_variance(self, images: Tensor, squares: Tensor) -> Tensor:
        return self.average(squares)


class LearnedVariance(VarianceRule):
    """The rule that s2 is a parameter, trained with the generative group.

    Args:
        image_shape: (C, H, W) of the images.
        granularity: `global`, `channel` or `pixel`.

    Raises:
        ValueError: the granularity is none of these.
    """

    name: ClassVar[str] = "sigma_learned"

    def __init__(
        self, image_shape: tuple[int, int, int], granularity: Granularity = "global"
    ) -> None:
        super().__init__()
        require("likelihood.variance.image_shape", image_shape)
        if granularity not in ("global", "channel", "pixel"):
            raise ValueError(
                f"likelihood.variance.granularity={granularity}: choose one of global, channel, "
                "pixel."
            )
        self.granularity = granularity
        averaged = _AVERAGED[granularity]
        shape = [1 if axis in averaged else size for axis, size in enumerate((1, *image_shape))]
        self.log_sigma2 = nn.Parameter(torch.zeros(shape))

    @property
    def notes(self) -> dict[str, str]:
        return {"s2": f"learned, {self.granularity}, from 1"}

    def forward(self, images: Tensor, squares: Tensor) -> Tensor:
        return self.expected()

    def expected(self) -> Tensor:
        return self.log_sigma2.exp()

    @torch.no_grad()
    def observe(self, sigma2: Tensor) -> None:
        # Below the floor the parameter would have no gradient and never come back.
        self.log_sigma2.clamp_min_(math.log(SIGMA2_FLOOR) + 1e-5)


class FixedVariance(VarianceRule):
    """The rule that s2 is a constant.

    Args:
        sigma2: variance of a pixel, at least the floor of 1.3e-6; or a tensor of variances,
            broadcastable to (1, C, H, W).

    Raises:
        ValueError: the variance is below the floor.
    """

    name: ClassVar[str] = "sigma_fixed"
    constant: Tensor

    def __init__(self, sigma2: float | Tensor) -> None:
        super().__init__()
        if not isinstance(sigma2, Tensor):
            require("likelihood.variance.sigma2", sigma2)
        constant = torch.as_tensor(sigma2, dtype=torch.float64)
        constant = constant.reshape((1,) * (4 - constant.dim()) + constant.shape)
        self.register_buffer("constant", constant, persistent=False)

    @property
    def notes(self) -> dict[str, str]:
        return {"s2": f"fixed at {float(self.constant.mean()):g}"}

    def forward(self, images: Tensor, squares: Tensor) -> Tensor:
        return self.constant.to(squares.dtype)

    def expected(self) -> Tensor:
        return self.constant

"""The rule by which a group's update is skipped because its gradient is far above the usual."""

import math

import torch
from torch import Tensor

# Norms whose median is the usual one. Until there are so many, no update is skipped: the norms of
# the first updates fall too quickly to be a measure.
WINDOW = 100


class GradientSkip:
    """The rule of one parameter group: skip an update whose gradient norm is above a threshold.

    The threshold is `factor` times the median of the norms of the group's 100 updates before. Each
    norm enters the window, also that of a skipped update, so that the threshold follows: after a
    rise of the norms for good, at most 51 updates are skipped before training goes on. A fixed
    threshold, as VDVAE's (https://arxiv.org/abs/2011.10650), would end it there. A gradient that is
    not finite is skipped, too, and does not enter.

    Judging reads nothing from the device.

    Args:
        factor: factor of the median.

    Attributes:
        norms: (100,) norms of the latest updates, the latest one last; NaN where there was none.
        updates: () number of updates in this epoch.
        skipped: () number of those that were skipped.
        non_finite: () number of those whose gradient was not finite.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.norms = torch.full((WINDOW,), math.nan)
        self.updates, self.skipped, self.non_finite = torch.zeros(3)

    def to(self, like: Tensor) -> None:
        """Move to the device and the precision of a tensor."""
        self.norms = self.norms.to(like)
        self.updates, self.skipped, self.non_finite = (own.to(like) for own in self._counts())

    def begin_epoch(self) -> None:
        """Count updates from 0."""
        for count in self._counts():
            count.zero_()

    def _counts(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.updates, self.skipped, self.non_finite

    def tensors(self) -> tuple[Tensor, ...]:
        """Return what judging changes in place."""
        return self.norms, *self._counts()

    def judge(self, norm: Tensor) -> Tensor:
        """Return whether to skip the next update, and take note of its norm.

        Args:
            norm: () norm of the gradient of all the group's parameters.

        Returns:
            A () truth value on the norm's device.
        """
        finite = norm.isfinite()
        # The median of a window that is not full is NaN, and nothing is above that.
        skip = ~finite | (norm > self.factor * self.norms.median())
        later = torch.cat([self.norms[1:], norm[None]])
        # In place, as a CUDA graph repeats it.
        self.norms.copy_(torch.where(finite, later, self.norms))
        self.updates.add_(1)
        self.skipped.add_(skip)
        self.non_finite.add_(~finite)
        return skip

    def state(self) -> Tensor:
        """Return the norms of at most 100 updates, the latest one last."""
        return self.norms[self.norms.isfinite()].cpu()

    def restore(self, norms: Tensor) -> None:
        """Go on from the norms that `state` has returned."""
        self.norms = torch.cat([torch.full((WINDOW,), math.nan), norms])[-WINDOW:]

"""The optimizer of each parameter group, and the rule by which its learning rate falls."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau

from reslag_vae.options import require
from reslag_vae.training.fused_adam import FusedAdam
from reslag_vae.training.gradient_skip import WINDOW

__all__ = ["AdamSettings", "Plateau"]

ROUNDING = 1e-6


@dataclass(frozen=True)
class Plateau:
    """A rule that cuts the learning rate when the validation loss stands still.

    Training ends when the learning rate has become too small.

    Args:
        factor: factor of each cut, in (0, 1).
        patience: number of epochs without improvement before a cut; at least 1.
        stop_below: learning rate below which training ends.

    Raises:
        ValueError: an argument is out of its range.
    """

    factor: float = 0.5
    patience: int = 3
    stop_below: float = 5e-5

    def __post_init__(self) -> None:
        for name in ("factor", "patience", "stop_below"):
            require(f"optimizer.plateau.{name}", getattr(self, name))

    def __str__(self) -> str:
        cut = f"lr times {self.factor:g} after {self.patience} epochs without improvement"
        return f"{cut}, end below {self.stop_below:g}"

    def build(self, optimizer: Adam) -> ReduceLROnPlateau:
        """Return PyTorch's scheduler for an optimizer."""
        # PyTorch's cuts after patience + 1 epochs without improvement.
        patience = self.patience - 1
        return ReduceLROnPlateau(optimizer, factor=self.factor, patience=patience, threshold=0.0)

    def reason_to_stop(self, lr: float) -> str | None:
        """Return why training ends at a learning rate, in words; None if it goes on."""
        # A GPU holds it in float32, which may round it below what it is cut to.
        if lr >= (1 - ROUNDING) * self.stop_below:
            return None
        return f"learning rate {lr:.2g} fell below {self.stop_below:.2g}"


@dataclass(frozen=True)
class AdamSettings:
    """The settings of Adam, which each parameter group has one of.

    Args:
        lr: learning rate, positive; the thesis' by default.
        betas: decay rates of the moments.
        clip_norm: largest gradient norm of a group; None does not clip. The Trainer's own clipping
            does not work with manual optimization.
        plateau: rule by which the learning rate falls; None keeps it.
        skip_above: gradient norm above which a group's update is skipped, as a multiple of the
            median of the norms before, by `GradientSkip`; the norm is that before clipping. None
            skips none.
        ema_decay: share that a step leaves of the moving average of all weights, by
            `WeightAverage`, which is then validated, kept and evaluated in their place; None takes
            the weights themselves.

    Raises:
        ValueError: an argument is out of its range.
    """

    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float | None = None
    plateau: Plateau | None = None
    skip_above: float | None = None
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        for name in ("lr", "betas", "clip_norm", "skip_above", "ema_decay"):
            require(f"optimizer.{name}", getattr(self, name))
        if self.plateau is not None and not isinstance(self.plateau, Plateau):
            raise ValueError(f"optimizer.plateau={self.plateau}: must be null or a Plateau.")

    def __str__(self) -> str:
        clip = "" if self.clip_norm is None else f", gradient norm at most {self.clip_norm:g}"
        skip = ""
        if self.skip_above is not None:
            usual = f"the median gradient norm of the {WINDOW} before"
            skip = f", updates skipped above {self.skip_above:g} times {usual}"
        average = ""
        if self.ema_decay is not None:
            average = f", weights averaged with decay {self.ema_decay:g}"
        rule = "" if self.plateau is None else f"; {self.plateau}"
        betas = f"betas {self.betas[0]:g} and {self.betas[1]:g}"
        return f"Adam for each group, lr {self.lr:g}, {betas}{clip}{skip}{average}{rule}"

    def build(self, parameters: Iterable[nn.Parameter]) -> FusedAdam:
        """Return the optimizer of one group's parameters."""
        beta1, beta2 = self.betas
        return FusedAdam(parameters, self.lr, (beta1, beta2))

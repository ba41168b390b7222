"""The optimizer of each parameter group, and the rule by which its learning rate falls."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from reslag_vae.options import require
from reslag_vae.training.gradient_skip import WINDOW

__all__ = ["AdamSettings", "Plateau"]


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
        if lr >= self.stop_below:
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

    Raises:
        ValueError: an argument is out of its range.
    """

    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float | None = None
    plateau: Plateau | None = None
    skip_above: float | None = None

    def __post_init__(self) -> None:
        for name in ("lr", "betas", "clip_norm", "skip_above"):
            require(f"optimizer.{name}", getattr(self, name))
        if self.plateau is not None and not isinstance(self.plateau, Plateau):
            raise ValueError(f"optimizer.plateau={self.plateau}: must be null or a Plateau.")

    def __str__(self) -> str:
        clip = "" if self.clip_norm is None else f", gradient norm at most {self.clip_norm:g}"
        skip = ""
        if self.skip_above is not None:
            usual = f"the median gradient norm of the {WINDOW} before"
            skip = f", updates skipped above {self.skip_above:g} times {usual}"
        rule = "" if self.plateau is None else f"; {self.plateau}"
        betas = f"betas {self.betas[0]:g} and {self.betas[1]:g}"
        return f"Adam for each group, lr {self.lr:g}, {betas}{clip}{skip}{rule}"

    def build(self, parameters: Iterable[nn.Parameter]) -> Adam:
        """Return the optimizer of one group's parameters, whose update is one fused kernel."""
        beta1, beta2 = self.betas
        # As a group, since PyTorch refuses an empty list: a model without latents infers nothing.
        own = Adam([{"params": list(parameters)}], lr=self.lr, betas=(beta1, beta2), fused=True)
        own.register_step_post_hook(count_writes)
        return own


def count_writes(optimizer: Optimizer, *_: object) -> None:
    """Count the writes of a fused step, which PyTorch leaves out (2.14), as those of any other.

    By them the moments of a prior, among others, are known to be out of date.
    """
    for group in optimizer.param_groups:
        torch.autograd.graph.increment_version(group["params"])


def adapt(optimizer: Optimizer, device: torch.device) -> None:
    """Make an optimizer fit its device, whatever the checkpoint that it was loaded from.

    On a GPU its step can be captured: the learning rate is a tensor then, which a schedule changes
    in place.

    Args:
        optimizer: optimizer whose parameters are there.
        device: the device.
    """
    match_layout(optimizer)
    captured = device.type == "cuda"
    for group in optimizer.param_groups:
        lr = float(group["lr"])
        group["capturable"] = captured
        group["lr"] = torch.tensor(lr, device=device) if captured else lr


@torch.no_grad()
def match_layout(optimizer: Optimizer) -> None:
    """Give the optimizer's moments the memory layout of their parameters.

    A checkpoint may hold another, and Adam's fused kernel goes through both in the order of memory
    (PyTorch 2.15).
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == parameter.shape and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter).copy_(value)

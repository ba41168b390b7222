"""The moving average of a model's weights over the steps of training."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """The exponential moving average of a model's weights, which is what is validated and kept.

    After step t it moves by max(1 - decay, 9 / (10 + t)) of the way to the weights: it looks back
    on 1 / (1 - decay) steps, and at first on a ninth of all, since early weights are far off. This
    start is that of TensorFlow's ExponentialMovingAverage. What is averaged is all that a
    checkpoint holds of the model in floating point: parameters, the running averages of batch
    normalisation and of a variance, codebooks. Polyak & Juditsky 1992,
    https://doi.org/10.1137/0330046, average the iterates of a step size that falls slowly; Child
    2021, https://arxiv.org/abs/2011.10650, evaluates a variational autoencoder's moving average.

    Training never reads it, and so is bitwise that without an average.

    Args:
        model: model that is trained, on its device.
        decay: share of the average that one step leaves, in (0, 1).

    Attributes:
        steps: () number of steps that are averaged.
        shown: whether the model holds the average, and this object the weights that are trained.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        state = model.state_dict(keep_vars=True)
        named = {name: own for name, own in state.items() if own.is_floating_point()}
        # A weight may have several names.
        self.held = list({id(own): own for own in named.values()}.values())
        places = {id(own): place for place, own in enumerate(self.held)}
        self.places = {name: places[id(own)] for name, own in named.items()}
        self.others = [own.detach().clone() for own in self.held]
        self.decay = decay
        self.steps = torch.zeros((), dtype=torch.float64, device=self.held[0].device)
        self.shown = False

    def tensors(self) -> list[Tensor]:
        """Return what `update` changes in place."""
        return [self.steps, *self.others]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step; on a GPU nothing waits for it."""
        self.steps += 1
        part = (9 / (10 + self.steps)).clamp_min(1 - self.decay)
        parts = {kind: part.to(kind) for kind in {own.dtype for own in self.held}}
        for own, other in zip(self.held, self.others, strict=True):
            other.lerp_(own, parts[own.dtype])

    def show(self) -> None:
        """Let the model hold the average, once there is one."""
        if not self.shown and self.steps > 0:
            self._exchange()

    def hide(self) -> None:
        """Let the model hold the weights that are trained again."""
        if self.shown:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for own, other in zip(self.held, self.others, strict=True):
            before = own.clone()
            own.copy_(other)
            other.copy_(before)
        self.shown = not self.shown

    def averages(self) -> dict[str, Tensor]:
        """Return the average of each weight, by its name in the model."""
        values = self.held if self.shown else self.others
        return {name: values[place] for name, place in self.places.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps, and the weights that are trained, by name."""
        values = self.others if self.shown else self.held
        weights = {name: values[place] for name, place in self.places.items()}
        return {"steps": self.steps, "weights": weights}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has returned: the model, which holds the average, trains."""
        self.steps.copy_(state["steps"])
        for name, place in self.places.items():
            self.others[place].copy_(state["weights"][name])
        self.shown = True
        self.hide()

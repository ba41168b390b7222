"""Adam by one fused kernel, without the housekeeping that takes as long as the kernel."""

from collections.abc import Callable, Iterable
from operator import is_, itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.adam import adam

# What PyTorch calls the moments, in the order of those below.
NAMES = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step")


class Moments(NamedTuple):
    """What Adam keeps of some parameters.

    Attributes:
        parameters: the parameters.
        first: running mean of each one's gradients.
        second: running mean of their squares.
        largest: largest such mean so far, of AMSGrad alone; else empty.
        steps: () number of steps of each parameter.
    """

    parameters: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    largest: list[Tensor]
    steps: list[Tensor]


class FusedAdam(Adam):
    """Adam whose step is one fused kernel, on moments that are looked up once.

    PyTorch's own collects and checks every parameter's moments anew in each step, which takes as
    long as the kernel where networks are small. Results and checkpoints are the same, bitwise, also
    where somebody changes groups, settings or moments between two steps.

    Args:
        parameters: parameters of the first group; there may be none.
        lr: learning rate.
        betas: decay rates of the moments.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]
    ) -> None:
        # Of each group by its number, if all of its parameters had a gradient.
        self._moments: dict[int, Moments] = {}
        # As a group, since PyTorch refuses an empty list: a model without latents infers nothing.
        super().__init__([{"params": list(parameters)}], lr=lr, betas=betas, fused=True)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._lay_out()
        self._moments = {}  # those of a checkpoint have come

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make a step by the gradients that there are.

        Args:
            closure: function that computes them, as Lightning gives one; None if they are there.

        Returns:
            What the closure returns.
        """
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
        for number, group in enumerate(self.param_groups):
            self._step_of(group, *self._collected(number, group))
        return result

    def _step_of(self, group: dict[str, Any], moments: Moments, gradients: list[Tensor]) -> None:
        """Make the step of the parameters of a group that have a gradient."""
        adam(
            moments.parameters,
            gradients,
            moments.first,
            moments.second,
            moments.largest,
            moments.steps,
            fused=True,
            capturable=group["capturable"],
            # Where it is 1, the kernel writes nothing. PyTorch's GradScaler and GroupSteps set it.
            found_inf=getattr(self, "found_inf", None),
            grad_scale=getattr(self, "grad_scale", None),
            decoupled_weight_decay=group["decoupled_weight_decay"],
            amsgrad=group["amsgrad"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
        )
        # The kernel leaves out (PyTorch 2.14) what any other write does: by it the moments of a
        # prior, among others, are known to be out of date.
        torch.autograd.graph.increment_version(moments.parameters)

    def _collected(self, number: int, group: dict[str, Any]) -> tuple[Moments, list[Tensor]]:
        """Return the moments of a group's parameters that have a gradient, and these gradients."""
        moments = self._moments.get(number)
        if moments is not None and self._are_those_of(moments, group):
            found = [parameter.grad for parameter in moments.parameters]
            gradients = [gradient for gradient in found if gradient is not None]
            if len(gradients) == len(found):
                return moments, gradients
        moments, gradients = Moments([], [], [], [], []), []
        self._init_group(  # type: ignore[no-untyped-call]
            group,
            moments.parameters,
            gradients,
            moments.first,
            moments.second,
            moments.largest,
            moments.steps,
        )
        self._moments.pop(number, None)
        # A parameter that has no gradient now may have one at the next step.
        if len(gradients) == len(group["params"]):
            self._moments[number] = moments
        return moments, gradients

    def _are_those_of(self, moments: Moments, group: dict[str, Any]) -> bool:
        """Return whether moments are still the optimizer's, of all of a group's parameters.

        A callback may have replaced parameters, cleared their moments or put others in their place.
        """
        parameters, amsgrad = group["params"], bool(group["amsgrad"])
        if len(parameters) != len(moments.parameters) or amsgrad != bool(moments.largest):
            return False
        if not all(map(is_, parameters, moments.parameters)):
            return False
        states = [self.state[parameter] for parameter in parameters]
        kept = zip(NAMES, moments[1:], strict=True)
        try:
            return all(
                all(map(is_, map(itemgetter(name), states), own)) for name, own in kept if own
            )
        except KeyError:  # of a parameter whose moments were cleared
            return False

    @torch.no_grad()
    def adapt(self, device: torch.device) -> None:
        """Fit the optimizer to its device, whatever the checkpoint that it was loaded from.

        On a GPU the step can be captured: the learning rate is a tensor then, which a schedule
        changes in place.

        Args:
            device: device of the parameters.
        """
        self._lay_out()
        captured = device.type == "cuda"
        for group in self.param_groups:
            group["capturable"] = captured
            if not captured:
                group["lr"] = float(group["lr"])
            elif not isinstance(group["lr"], Tensor) or group["lr"].device != device:
                group["lr"] = torch.tensor(float(group["lr"]), device=device)

    @torch.no_grad()
    def _lay_out(self) -> None:
        """Give the moments the memory layout of their parameters.

        A checkpoint may hold another, and the fused kernel goes through both in the order of memory
        (PyTorch 2.15).
        """
        for parameter, state in self.state.items():
            for name, value in state.items():
                if value.shape == parameter.shape and value.stride() != parameter.stride():
                    state[name] = torch.empty_like(parameter).copy_(value)

"""Adam by one fused kernel, without the housekeeping that takes as long as the kernel."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.adam import adam


class Moments(NamedTuple):
    """What Adam keeps of some parameters.

    Attributes:
        parameters: the parameters.
        first: running mean of each one's gradients.
        second: running mean of their squares.
        steps: () number of steps of each parameter.
    """

    parameters: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    steps: list[Tensor]


class FusedAdam(Adam):
    """Adam whose step is one fused kernel, on moments that are looked up once.

    PyTorch's own collects and checks every parameter's moments anew in each step, which takes as
    long as the kernel where networks are small. Results and checkpoints are the same, bitwise.

    Args:
        parameters: parameters of one group; there may be none.
        lr: learning rate.
        betas: decay rates of the moments.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]
    ) -> None:
        self._moments: Moments | None = None
        # As a group, since PyTorch refuses an empty list: a model without latents infers nothing.
        super().__init__([{"params": list(parameters)}], lr=lr, betas=betas, fused=True)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._moments = None  # those of a checkpoint have come

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
        (group,) = self.param_groups
        moments, gradients = self._collected(group)
        adam(
            moments.parameters,
            gradients,
            moments.first,
            moments.second,
            [],
            moments.steps,
            fused=True,
            capturable=group["capturable"],
            # Where it is 1, the kernel writes nothing. PyTorch's GradScaler and GroupSteps set it.
            found_inf=getattr(self, "found_inf", None),
            grad_scale=getattr(self, "grad_scale", None),
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=0.0,
            eps=group["eps"],
            maximize=False,
        )
        # The kernel leaves out (PyTorch 2.14) what any other write does: by it the moments of a
        # prior, among others, are known to be out of date.
        torch.autograd.graph.increment_version(moments.parameters)
        return result

    def _collected(self, group: dict[str, Any]) -> tuple[Moments, list[Tensor]]:
        """Return the moments of the parameters that have a gradient, and these gradients."""
        # There are none where somebody has cleared them, to begin anew.
        if self._moments is not None and len(self.state) == len(group["params"]):
            found = [parameter.grad for parameter in self._moments.parameters]
            gradients = [gradient for gradient in found if gradient is not None]
            if len(gradients) == len(found):
                return self._moments, gradients
        moments, gradients = Moments([], [], [], []), []
        self._init_group(  # type: ignore[no-untyped-call]
            group, moments.parameters, gradients, moments.first, moments.second, [], moments.steps
        )
        # A parameter that has no gradient now may have one at the next step.
        all_have_one = len(gradients) == len(group["params"])
        self._moments = moments if all_have_one else None
        return moments, gradients

    @torch.no_grad()
    def adapt(self, device: torch.device) -> None:
        """Fit the optimizer to its device, whatever the checkpoint that it was loaded from.

        The moments get the memory layout of their parameters: a checkpoint may hold another, and
        the fused kernel goes through both in the order of memory (PyTorch 2.15). On a GPU the step
        can be captured: the learning rate is a tensor then, which a schedule changes in place.

        Args:
            device: device of the parameters.
        """
        for parameter, state in self.state.items():
            for name, value in state.items():
                if value.shape == parameter.shape and value.stride() != parameter.stride():
                    state[name] = torch.empty_like(parameter).copy_(value)
        self._moments = None
        captured = device.type == "cuda"
        for group in self.param_groups:
            lr = float(group["lr"])
            group["capturable"] = captured
            group["lr"] = torch.tensor(lr, device=device) if captured else lr

"""A value that is computed once for each state of the tensors that it depends on."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import torch
from torch import Tensor

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """The latest value of a function of tensors, kept until one of them changes."""

    def __init__(self) -> None:
        self.state: list[tuple[int, int, bool]] | None = None
        self.value: Value | None = None

    def get(self, tensors: Iterable[Tensor], compute: Callable[[], Value]) -> Value:
        """Return the value, computed anew if a tensor is another one or was written to.

        Of tensors that were made in `torch.inference_mode` nothing is kept: PyTorch does not count
        how often these are written to.

        Args:
            tensors: everything that the value depends on, always in the same order.
            compute: function that returns the value.
        """
        tensors = list(tensors)
        if any(tensor.is_inference() for tensor in tensors):
            return compute()
        state = [state_of(tensor) for tensor in tensors]
        if self.value is None or state != self.state:
            self.state, self.value = state, compute()
        return self.value


def state_of(tensor: Tensor) -> tuple[int, int, bool]:
    """Return where a tensor lies, how often it was written to, and whether autocast rounds it."""
    # Optimizers, checkpoints and running averages write in place, which PyTorch counts; fused
    # optimizers count it themselves, as `AdamSettings` makes them do.
    autocast = torch.is_autocast_enabled(tensor.device.type)
    return tensor.data_ptr(), tensor._version, autocast

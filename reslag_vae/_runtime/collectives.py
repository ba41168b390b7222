"""Operations over the processes that train one model, each on its part of every minibatch.

Together the processes do what one process would: whatever depends on the whole minibatch (its
moments, its latents, the gradient of its mean loss) is put together here. With one process every
function is the identity. The parts are equally large, so that the mean of means is the mean.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

Object = TypeVar("Object")


def count() -> int:
    """Return the number of processes that train the model."""
    return (
        distributed.get_world_size()
        if distributed.is_available() and distributed.is_initialized()
        else 1
    )


def rank() -> int:
    """Return the number of this process, counted from 0."""
    return distributed.get_rank() if count() > 1 else 0


def mean(values: Tensor) -> Tensor:
    """Return the mean of a tensor over the processes; it is differentiable."""
    if count() == 1:
        return values
    result: Tensor = _Mean.apply(values)
    return result


def gathered(values: Tensor) -> Tensor:
    """Return the rows of all processes, in the order of the processes; it is differentiable.

    Args:
        values: (b, ...) rows of this process.

    Returns:
        (B, ...) rows of all processes.
    """
    if count() == 1:
        return values
    result: Tensor = _Gathered.apply(values)
    return result


def own_part(values: Tensor) -> Tensor:
    """Return this process's (b, ...) rows of the (B, ...) rows of all processes."""
    return values.chunk(count())[rank()]


def objects(own: Object) -> list[Object]:
    """Return the objects that the processes give, in their order; tensors must be on the CPU."""
    if count() == 1:
        return [own]
    every: list[Any] = [None] * count()
    distributed.all_gather_object(every, own)
    return every


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes.

    That is the gradient of the loss of the whole minibatch.
    """
    if count() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= count()
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, values in zip(gradients, parts, strict=True):
        gradient.copy_(values.view_as(gradient))


@torch.no_grad()
def copy_from_first(module: nn.Module) -> None:
    """Copy the parameters and buffers of the first process to every other one."""
    if count() > 1:
        for value in module.state_dict().values():
            distributed.broadcast(value, 0)


# torch.distributed.nn.functional has both, but PyTorch deprecates it, and its replacement
# (torch.distributed._functional_collectives) is private.
class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        return _averaged(values)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        # Each process has a loss of its own that depends on the mean.
        return _averaged(gradient)


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        parts = [
            torch.empty_like(values, memory_format=torch.contiguous_format) for _ in range(count())
        ]
        distributed.all_gather(parts, values.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return own_part(total)


def _averaged(values: Tensor) -> Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total / count()

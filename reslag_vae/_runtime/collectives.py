"""Several processes train one model, each on its part of every minibatch; together they do what one would.

Whatever depends on the whole minibatch (its moments, its latents, the gradient of its mean loss) is
put together here. With one process every function is the identity. The parts are equally large, so
that means of means are means.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

Object = TypeVar("Object")


def count() -> int:
    """How many processes train the model."""
    return (
        distributed.get_world_size()
        if distributed.is_available() and distributed.is_initialized()
        else 1
    )


def rank() -> int:
    """Which one this is, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def mean(values: Tensor) -> Tensor:
    """The mean over the processes of a tensor that each has, differentiable."""
    if count() == 1:
        return values
    result: Tensor = _Mean.apply(values)
    return result


def gathered(values: Tensor) -> Tensor:
    """(B, ...) the rows of all processes in their order, of the (b, ...) of each; differentiable."""
    if count() == 1:
        return values
    result: Tensor = _Gathered.apply(values)
    return result


def own_part(values: Tensor) -> Tensor:
    """(b, ...) the rows of this process, of the (B, ...) of all."""
    return values.chunk(count())[rank()]


def objects(own: Object) -> list[Object]:
    """What each process gives, in their order; tensors must lie on the CPU."""
    if count() == 1:
        return [own]
    every: list[Any] = [None] * count()
    distributed.all_gather_object(every, own)
    return every


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes: that of the loss of the whole minibatch."""
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
    """Give the parameters and buffers of every process the values that those of the first have."""
    if count() > 1:
        for value in module.state_dict().values():
            distributed.broadcast(value, 0)


# torch.distributed.nn.functional has both, but PyTorch deprecates it, and what it names in its place
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

"""The freezing of one parameter group, or of running averages alone, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class frozen:  # noqa: N801, a context as those of contextlib
    """A context in which none of the parameters and buffers of modules changes, bitwise.

    No gradient is computed for the parameters. Gradients still flow through the modules to their
    inputs. Batch normalisation goes on using the statistics of the minibatch, so the function is
    that of training, but leaves its running averages alone. After the context, also after an error,
    everything is as it was before.

    A context may be entered again and again: the modules are searched once.

    Args:
        modules: modules that are frozen.
    """

    def __init__(self, *modules: nn.Module) -> None:
        self.parameters = [p for own in modules for p in own.parameters() if p.requires_grad]
        self.norms = tracking(*modules)

    def __enter__(self) -> Self:
        for parameter in self.parameters:
            parameter.requires_grad_(False)
        for norm in self.norms:
            norm.track_running_stats = False
        return self

    def __exit__(self, *_: object) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        for norm in self.norms:
            norm.track_running_stats = True


@contextmanager
def averages_kept(*modules: nn.Module) -> Iterator[None]:
    """Leave the running averages of batch normalisation as they are within the context.

    In training it goes on using the statistics of the minibatch. After the context, also after an
    error, everything is as it was before.

    Args:
        modules: modules whose averages are kept.
    """
    norms = tracking(*modules)
    try:
        for norm in norms:
            norm.track_running_stats = False
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


def tracking(*modules: nn.Module) -> list[_BatchNorm]:
    """Return the batch normalisations in modules whose running averages are kept up."""
    return [
        part
        for module in modules
        for part in module.modules()
        if isinstance(part, _BatchNorm) and part.track_running_stats
    ]

"""The freezing of one parameter group, or of running averages alone, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Freeze modules within the context: none of their parameters and buffers changes, bitwise.

    No gradient is computed for the parameters. Gradients still flow through the modules to their
    inputs. Batch normalisation goes on using the statistics of the minibatch, so the function is
    that of training, but leaves its running averages alone. After the context, also after an error,
    everything is as it was before.

    Args:
        modules: modules that are frozen.
    """
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    try:
        for parameter in parameters:
            parameter.requires_grad_(False)
        with averages_kept(*modules):
            yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


@contextmanager
def averages_kept(*modules: nn.Module) -> Iterator[None]:
    """Leave the running averages of batch normalisation as they are within the context.

    In training it goes on using the statistics of the minibatch. After the context, also after an
    error, everything is as it was before.

    Args:
        modules: modules whose averages are kept.
    """
    norms = [
        m
        for module in modules
        for m in module.modules()
        if isinstance(m, _BatchNorm) and m.track_running_stats
    ]
    try:
        for norm in norms:
            norm.track_running_stats = False
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True

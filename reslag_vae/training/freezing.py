"""The freezing of one parameter group while the other is updated."""

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
    norms = [
        m
        for module in modules
        for m in module.modules()
        if isinstance(m, _BatchNorm) and m.track_running_stats
    ]
    try:
        for parameter in parameters:
            parameter.requires_grad_(False)
        for norm in norms:
            norm.track_running_stats = False
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
        for norm in norms:
            norm.track_running_stats = True

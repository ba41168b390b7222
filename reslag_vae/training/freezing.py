"""The freezing of one parameter group, or of running averages alone, for a while."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class averages_kept:  # noqa: N801  # a context, named as those of contextlib are
    """A context in which the running averages of batch normalisation stay as they are.

    In training it goes on using the statistics of the minibatch. After the context, also after an
    error, everything is as it was before. A context may be entered again and again: the modules are
    searched once, and what is frozen by others meanwhile stays frozen.

    Args:
        modules: modules whose averages are kept.
    """

    def __init__(self, *modules: nn.Module) -> None:
        self.norms = normalisations(*modules)
        self.tracking: list[_BatchNorm] = []

    def __enter__(self) -> None:
        self.tracking = [norm for norm in self.norms if norm.track_running_stats]
        for norm in self.tracking:
            norm.track_running_stats = False

    def __exit__(self, *_: object) -> None:
        for norm in self.tracking:
            norm.track_running_stats = True


class frozen(averages_kept):  # noqa: N801  # the same
    """A context in which none of the parameters and stored buffers of modules changes, bitwise.

    Buffers that no file holds, such as a codebook's notes of the latest minibatch, may change. No
    gradient is computed for the parameters. Gradients still flow through the modules to their
    inputs. Batch normalisation goes on using the statistics of the minibatch, so the function is
    that of training, but leaves its running averages alone.

    Args:
        modules: modules that are frozen.
    """

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__(*modules)
        self.parameters = [parameter for own in modules for parameter in own.parameters()]
        self.trained: list[nn.Parameter] = []

    def __enter__(self) -> None:
        super().__enter__()
        self.trained = [parameter for parameter in self.parameters if parameter.requires_grad]
        for parameter in self.trained:
            parameter.requires_grad_(False)

    def __exit__(self, *error: object) -> None:
        for parameter in self.trained:
            parameter.requires_grad_(True)
        super().__exit__(*error)


def normalisations(*modules: nn.Module) -> list[_BatchNorm]:
    """Return the batch normalisations in modules."""
    return [part for module in modules for part in module.modules() if isinstance(part, _BatchNorm)]

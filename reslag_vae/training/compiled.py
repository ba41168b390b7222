"""The forward and backward pass of a training minibatch as compiled graphs."""

import logging
from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch._functorch import config as functorch

from reslag_vae.data import ImageDataModule
from reslag_vae.training.at_once import minibatches_of_epoch
from reslag_vae.training.forward import ForwardPass
from reslag_vae.training.freezing import normalisations
from reslag_vae.training.lookup import sure_epochs

if TYPE_CHECKING:
    from reslag_vae.training.system import BaseVAE
    from reslag_vae.training.updates import Forward

log = logging.getLogger(__name__)

Compile = bool | Literal["auto"]

# Pixels of the images of all updates of a run, from which on compilation repays its time: on two
# cores, about six minutes of training of the thesis' networks. More layers take longer to compile,
# and as much longer to train.
LONG = 1_500_000_000


class CompiledForward:
    """A forward pass under torch.compile, with one graph for each kind of update.

    A graph has the forward and the backward pass. The noise comes from outside of the graphs, as it
    does without compilation, so that losses differ by rounding alone. Minibatches of another size
    than the first, such as the last of an epoch, are not compiled. If one of the passes cannot be
    compiled, the log says so and training continues without compilation.

    Args:
        forward: function that is compiled.
        model: model whose parameters it computes with.

    Attributes:
        failed: whether training continues without compilation.
    """

    def __init__(self, forward: "Forward", model: nn.Module) -> None:
        # Earlier graphs are of another run in this process. PyTorch keeps few graphs of a
        # function, and then silently none.
        torch.compiler.reset()
        self.forward = forward
        self.parameters, self.norms = list(model.parameters()), normalisations(model)
        self.kinds: dict[tuple[bool, ...], int] = {}
        self.graph = torch.compile(of_kinds(forward), fullgraph=True, dynamic=False)
        self.batch_size: int | None = None
        self.failed = False
        log.info("Compiling: the first step of each kind of update takes up to a minute.")

    def __call__(
        self,
        images: Tensor,
        noise: tuple[Tensor, ...] | None,
        prior: Tensor | None,
        labels: Tensor | None,
    ) -> ForwardPass:
        """Return the forward pass of a minibatch.

        Args:
            images: (B, C, H, W) uint8 or floating point images.
            noise: (B, d_l) noise of each level's samples; None if the posteriors are points.
            prior: (P, d) samples of the prior; None if the objective needs none.
            labels: (B,) class numbers or (B, K) attributes; None if the model is told of none.
        """
        self.batch_size = self.batch_size or len(images)
        if self.failed or len(images) != self.batch_size:
            return self.forward(images, noise, prior, labels)
        try:
            # Both passes now, not the backward pass where nothing could catch its error.
            with functorch.patch(force_non_lazy_backward_lowering=True):
                forward: ForwardPass = self.graph(self.kind(), images, noise, prior, labels)
            return forward
        except Exception as error:  # compilers and PyTorch's own tracing raise a dozen kinds
            self.failed = True
            log.warning("Training goes on uncompiled, because this failed here: %s", reason(error))
        # Where the model itself is at fault, it says so again here.
        return self.forward(images, noise, prior, labels)

    def kind(self) -> int:
        """Return the number of the present kind of update, by what is frozen in it."""
        trained = [parameter.requires_grad for parameter in self.parameters]
        key = (*trained, *(norm.track_running_stats for norm in self.norms))
        return self.kinds.setdefault(key, len(self.kinds))


def of_kinds(forward: "Forward") -> Callable[..., ForwardPass]:
    """Return a forward pass that is first given the number of the kind of update.

    The graph of a kind is that of its number. By itself PyTorch 2.11 takes one of another kind: it
    does not look again at which parameters want a gradient.
    """

    def of_kind(kind: int, *arguments: Any) -> ForwardPass:
        if kind < 0:  # what is not looked at would choose no graph
            raise ValueError(f"kind={kind}: it has to be the number of a kind.")
        return forward(*arguments)

    return of_kind


def is_repaid(system: "BaseVAE") -> bool:
    """Return whether a run is long enough for compilation to save more time than it takes.

    What counts are the pixels of all its updates, whether they take a minibatch of their own or
    not. It depends on nothing but the run's configuration, so that a resumed run does as before. A
    run that may end early counts as if it did so as soon as it can.

    Args:
        system: system that is trained, on one device or several.
    """
    trainer = system.trainer
    data = getattr(trainer, "datamodule", None)
    if trainer.world_size > 1 or not isinstance(data, ImageDataModule):
        return False
    updates = system.schedule.updates_in(sure_epochs(trainer)) * minibatches_of_epoch(trainer)
    return updates * data.batch_size * prod(data.image_shape) >= LONG


def reason(error: Exception) -> str:
    """Return the class and the first line of a compiler's error."""
    error = getattr(error, "inner_exception", error)
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"

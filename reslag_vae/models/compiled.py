"""The terms of a training minibatch as compiled graphs."""

import logging
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reslag_vae.records import Terms
from reslag_vae.schedules import Update

if TYPE_CHECKING:
    from reslag_vae.models.base import BaseVAE

log = logging.getLogger(__name__)


class CompiledTerms:
    """Computes `model.terms` by torch.compile: one graph, forward and backward, for each kind of update.

    The noise is drawn outside of the graphs, as it is without compilation, so that losses differ by rounding alone.
    On a GPU the graphs are CUDA graphs. Minibatches of another size than the first, such as the last of an epoch, are
    not compiled. Where compilation fails, training goes on without it, with a word in the log.

    Args:
        model: whose terms.
    """

    def __init__(self, model: "BaseVAE") -> None:
        self.model = model
        self.batch_size: int | None = None
        self.proven: set[Update] = set()
        self.failed = False

    def begin(self) -> None:
        """Before the first update."""
        # Of an earlier run in this process: PyTorch keeps few graphs of a function, and then silently none.
        torch.compiler.reset()
        mode = "reduce-overhead" if self.model.device.type == "cuda" else None
        self.graph = torch.compile(self.model.terms, dynamic=False, mode=mode)
        self.batch_size, self.proven, self.failed = None, set(), False
        log.info("Compiling: the first step of each kind takes some seconds.")

    def __call__(self, images: Tensor, update: Update) -> Terms:
        """The terms of (B, C, H, W) uint8 or floating point images, to update the groups in `update`."""
        self.batch_size = self.batch_size or len(images)
        if self.failed or len(images) != self.batch_size:
            return self.model.terms(images)
        shape = (len(images), self.model.network.latent_dim)
        draws = (not self.model.deterministic, self.model.objective.draws_prior)
        noise, prior = (torch.randn(shape, device=images.device) if draw else None for draw in draws)
        try:
            terms: Terms = self.graph(images, noise, prior)
        except Exception as error:
            if update in self.proven:
                raise
            # Compilers and PyTorch's own tracing raise a dozen kinds. Where the reason is the model itself, it is
            # raised again by the uncompiled step.
            self.failed = True
            log.warning("trainer.compile=true: goes on uncompiled, because this failed here: %s", first_line(error))
            return self.model.terms(images, noise, prior)
        self.proven.add(update)
        return terms


def first_line(error: Exception) -> str:
    """Kind and first line of an error's message."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"

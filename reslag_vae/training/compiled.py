"""The terms of a training minibatch as compiled graphs."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from reslag_vae.objectives import Terms

log = logging.getLogger(__name__)

# From images, noise of each level and samples of the prior to the terms of the minibatch.
TermsFunction = Callable[[Tensor, tuple[Tensor, ...] | None, Tensor | None], Terms]


class CompiledTerms:
    """A function of terms under torch.compile, with one graph for each kind of update.

    A graph has the forward and the backward pass. The noise comes from outside of the graphs, as it
    does without compilation, so that losses differ by rounding alone. On a GPU the graphs are CUDA
    graphs. Minibatches of another size than the first, such as the last of an epoch, are not
    compiled. If a forward pass cannot be compiled, the log says so and training continues without
    compilation.

    Args:
        terms: function that is compiled.

    Attributes:
        failed: whether training continues without compilation.
    """

    def __init__(self, terms: TermsFunction) -> None:
        self.terms = terms
        self.batch_size: int | None = None
        self.failed = False

    def begin(self, device: torch.device) -> None:
        """Forget earlier graphs, before the first update.

        Args:
            device: device of the model.
        """
        # They are of an earlier run in this process. PyTorch keeps few graphs of a function, and
        # then silently none.
        torch.compiler.reset()
        mode = "reduce-overhead" if device.type == "cuda" else None
        self.graph = torch.compile(self.terms, fullgraph=True, dynamic=False, mode=mode)
        self.batch_size, self.failed = None, False
        log.info("Compiling: the first step of each kind of update takes up to a minute.")

    def __call__(
        self, images: Tensor, noise: tuple[Tensor, ...] | None, prior: Tensor | None
    ) -> Terms:
        """Return the terms of a minibatch.

        Args:
            images: (B, C, H, W) uint8 or floating point images.
            noise: (B, d_l) noise of each level's samples; None if the posteriors are points.
            prior: (B, d) samples of the prior; None if the objective needs none.
        """
        self.batch_size = self.batch_size or len(images)
        if self.failed or len(images) != self.batch_size:
            return self.terms(images, noise, prior)
        try:
            terms: Terms = self.graph(images, noise, prior)
            return terms
        except Exception as error:  # compilers and PyTorch's own tracing raise a dozen kinds
            self.failed = True
            log.warning(
                "trainer.compile=true: goes on uncompiled, because this failed here: %s",
                reason(error),
            )
        # Where the model itself is at fault, it says so again here.
        return self.terms(images, noise, prior)


def reason(error: Exception) -> str:
    """Return the class and the first line of a compiler's error."""
    error = getattr(error, "inner_exception", error)
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"

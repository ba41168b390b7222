"""Steps as a graph where there is no GPU: in place of CUDA's capture, the work is repeated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loops.progress import _Progress
from torch import Tensor

from reslag_vae.training.capture import Capture
from reslag_vae.training.graphed import GraphedSteps
from reslag_vae.training.system import BaseVAE

Work = Callable[[], Tensor]


def repeated(work: Work) -> Work:
    """A graph that is no faster: launched, it does the work anew, into the same memory."""
    memory: list[Tensor] = []

    def repeat() -> Tensor:
        with uncounted():
            result = work()
        memory[:] = memory or [torch.empty_like(result)]
        return memory[0].copy_(result)

    return repeat


@contextmanager
def uncounted() -> Iterator[None]:
    """Hide optimizers' steps from Lightning, which does not see what a device does by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Progress, "increment_ready", lambda own: None)
        patch.setattr(_Progress, "increment_completed", lambda own: None)
        yield


class Graphs(Callback):
    """Has a system make its steps as graphs, where a GPU would.

    Attributes:
        sizes: numbers of images of the graphs that there are at the end of each epoch.
    """

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.sizes: list[set[int]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the graphs up; the system's own hook comes after this one, and finds no GPU."""
        assert isinstance(pl_module, BaseVAE)
        self.graphed = pl_module.graphed = GraphedSteps(pl_module, self.capture)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note which graphs there are: after training there are none."""
        self.sizes.append({shape[0] for _, shape in self.graphed.graphs})

"""Tests of what a GPU does, beside the CPU.

Where there is none they are skipped, unless RESLAG_GPU_DRY_RUN=1 asks for the CPU in its place: on
a small network, with the work repeated where a graph would be launched.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from omegaconf import DictConfig
from torch import Tensor

from reslag_vae._runtime import process
from reslag_vae.data import ImageDataModule
from reslag_vae.training.at_once import AtOnce, minibatches_at_once
from reslag_vae.training.build import build
from reslag_vae.training.callbacks import callbacks_of
from reslag_vae.training.system import BaseVAE
from tests.graphs import Graphs, repeated

DRY_RUN = "RESLAG_GPU_DRY_RUN"
BARE = (
    "data=digits",
    "data.batch_size=16",
    "logger=none",
    "callbacks.images=null",
    "callbacks.collapse=null",
    "callbacks.progress=null",
    "callbacks.report=null",
    "callbacks.metrics_file=null",
    "trainer.num_sanity_val_steps=0",
)
# Steps that are compared one by one, and the shares by which they and whole epochs may differ. By
# other kernels of the CPU, a step whose first terms differ by 1e-7 differs by 4e-3 after 20: Adam
# makes a whole step of a gradient that is rounding alone.
STEPS, GROWN, DRIFT = 20, 0.02, 0.05

EAGER, GRAPHED, COMPILED = (f"trainer.compile={own}" for own in ("false", "auto", "true"))


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The GPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    if not os.environ.get(DRY_RUN):
        pytest.skip(f"a GPU is wanted; {DRY_RUN}=1 takes the CPU in its place")
    return torch.device("cpu")


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """No factor of a product is rounded, as on a CPU."""
    process.allow_rounded_products(False)
    yield
    torch.backends.cudnn.allow_tf32 = True


@pytest.fixture
def small(device: torch.device) -> tuple[str, ...]:
    """The options of a network that a dry run has time for."""
    if device.type == "cuda":
        return ()
    sizes = ("recipe.channels=[2,4]", "recipe.blocks=[1,1]")
    return (*sizes, "data.batch_size=32", "data.val_fraction=0.8")


class Trained(NamedTuple):
    """A run that is over.

    Attributes:
        model: the model.
        trainer: its trainer.
        rows: means of the terms of every minibatch, of each epoch.
        graphs: keys of the graphs at the end of each epoch.
    """

    model: BaseVAE
    trainer: Trainer
    rows: list[Tensor]
    graphs: list[set[tuple[str, int]]]

    @property
    def graphed(self) -> bool:
        """Whether steps were graphs to the end."""
        return self.model.graphed is not None and not self.model.graphed.failed


class Noted(Callback):
    """Notes the means of the terms, and which graphs there are."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []
        self.graphs: list[set[tuple[str, int]]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseVAE)
        self.rows.append(pl_module.train_means.rows.cpu())
        graphs = pl_module.graphed.graphs if pl_module.graphed else ()
        self.graphs.append({(phase, shape[0]) for phase, shape in graphs})


Run = Callable[..., Trained]


@pytest.fixture
def run(
    compose: Callable[..., DictConfig],
    device: torch.device,
    small: tuple[str, ...],
    tmp_path: Path,
) -> Run:
    """Train by the command line's options, on the GPU if `on` is not "cpu"."""

    def trained(
        *options: str,
        epochs: int = 1,
        on: str = device.type,
        callbacks: Sequence[Callback] = (),
        change: Callable[[BaseVAE, ImageDataModule], object] = lambda *_: None,
    ) -> Trained:
        own = (f"trainer.accelerator={on}", f"trainer.max_epochs={epochs}")
        config = compose(*BARE, *small, *own, *options)
        torch.manual_seed(0)
        data, model, trainer = build(config, tmp_path)
        change(model, data)
        noted = Noted()
        graphs = [Graphs(repeated)] if on == "cpu" and config.trainer.compile else []
        # As many as without the test's own callbacks, which look at them.
        at_once = AtOnce(minibatches_at_once(trainer, data, model))
        callbacks_of(trainer).insert(0, at_once)
        callbacks_of(trainer).extend([*graphs, *callbacks, noted])
        trainer.fit(model, data)
        return Trained(model, trainer, noted.rows, noted.graphs)

    return trained


def assert_near(first: Trained, second: Trained, rounding: float) -> None:
    """The first step differs by a share of its largest term at most, later ones by a little.

    A GPU adds in another order each time, and training doubles a difference again and again.
    """
    assert_close(first.rows[0][:1], second.rows[0][:1], rounding)
    assert_close(first.rows[0][:STEPS], second.rows[0][:STEPS], max(rounding, GROWN))
    for one, other in zip(first.rows, second.rows, strict=True):
        assert_close(one.mean(0, keepdim=True), other.mean(0, keepdim=True), max(rounding, DRIFT))


def assert_close(rows: Tensor, others: Tensor, rounding: float) -> None:
    """The (n, K) means of terms differ by a share of each row's largest at most."""
    scale = others.abs().amax(1, keepdim=True)
    worst = float(((rows - others).abs() / scale).max())
    assert worst <= rounding, f"{worst:.2g} of the largest term"

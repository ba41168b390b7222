"""A training step reads no number from the device.

On a GPU each read would wait for all work before it.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Batch
from reslag_vae.likelihoods import Gaussian, Likelihood, OptimalVariance
from reslag_vae.networks import Network
from reslag_vae.objectives import Terms
from reslag_vae.objectives.averages import Means
from reslag_vae.training.callbacks import Sigma2Statistics, Throughput
from reslag_vae.training.optimizers import AdamSettings
from reslag_vae.training.schedules import Joint, Lagging, Schedule
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import BetaVAE, LaggingVAE, MMDInfoVAE, OptimalSigmaVAE
from tests.systems import make_system

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]

# What makes of a tensor a Python number or Boolean, or a result whose size depends on its values.
READS = {
    torch.ops.aten._local_scalar_dense,
    torch.ops.aten.nonzero,
    torch.ops.aten.equal,
    torch.ops.aten.masked_select,
}
PIXEL = Gaussian(OptimalVariance((1, 8, 8), "pixel"))


class Watch(TorchDispatchMode):
    """Notes the operations that read from the device."""

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.reads = 0, []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += 1
        if func.overloadpacket in READS:
            self.reads.append(str(func))
        return func(*args, **(kwargs or {}))


class WatchMethods(TorchFunctionMode):
    """Notes the methods that read from the device and that, on the CPU, come to no operation."""

    METHODS = (Tensor.tolist, Tensor.numpy, Tensor.cpu, Tensor.item)

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self.METHODS:
            self.watch.reads.append(func.__name__)
        return func(*args, **(kwargs or {}))


class WatchBatches(Callback):
    """Watches from the start of each minibatch to its end. To be the last of the callbacks."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.methods = WatchMethods(self.watch)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self.watch.__enter__()
        self.methods.__enter__()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        self.methods.__exit__(None, None, None)
        self.watch.__exit__(None, None, None)


def test_the_watch_sees_reads() -> None:
    means = Means()
    means.add(Terms(*torch.ones(3, 2), kl=None, extras={}))
    with Watch() as watch, WatchMethods(watch):
        means.read()
        float(torch.ones(()))
        bool(torch.ones(()) > 0)
        torch.ones(3).nonzero()
        torch.equal(torch.ones(3), torch.ones(3))
    assert watch.reads[0] == "tolist"
    assert len(watch.reads) == 5


@pytest.mark.parametrize(
    ("variant", "objective", "schedule", "likelihood"),
    [
        (BetaVAE, "beta", Joint(), None),
        (MMDInfoVAE, "mmd", Joint(), None),
        (OptimalSigmaVAE, "sigma_data", Joint(), None),
        (LaggingVAE, "sigma_optimal", Lagging(ratio=2, epochs=1), PIXEL),
        (LaggingVAE, "sigma_learned", Lagging(ratio=2, epochs=1), None),
    ],
)
def test_a_step_reads_nothing_from_the_device(
    variant: type[BaseVAE],
    objective: str,
    schedule: Schedule,
    likelihood: Likelihood | None,
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
) -> None:
    all_rules = AdamSettings(clip_norm=1.0, skip_above=4.0, ema_decay=0.9)
    model = make_system(
        variant, make_network(), objective, schedule, all_rules, likelihood=likelihood
    )
    watcher = WatchBatches()
    fit(model, make_data(), epochs=2, callbacks=[Sigma2Statistics(), Throughput(), watcher])
    assert watcher.watch.operations > 100
    assert watcher.watch.reads == []

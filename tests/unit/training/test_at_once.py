"""Several minibatches that go through the training loop at once: what is trained stays the same."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import Callback, Trainer
from lightning.pytorch.callbacks import LambdaCallback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from omegaconf import DictConfig
from torch import Tensor

from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Batch
from reslag_vae.networks import Network
from reslag_vae.objectives import ELBO
from reslag_vae.training.at_once import (
    MOST,
    MOST_NUMBERS,
    VALIDATED,
    AtOnce,
    arrange,
    images_validated_at_once,
)
from reslag_vae.training.build import build
from reslag_vae.training.callbacks import callbacks_of
from reslag_vae.training.forward import ForwardPass
from reslag_vae.training.schedules import JOINT, Joint, Lagging, Schedule, Update
from reslag_vae.variants import VAE, LaggingVAE, OptimalSigmaVAE
from tests.systems import TINY, make_system
from tests.updates import Recorder, equal, shared_state

Compose = Callable[..., DictConfig]
MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


class CountingVAE(VAE):
    """A variant of the user's own that looks at the loader's batches."""

    def on_train_batch_start(self, *args: Any) -> None:
        """Do nothing."""


class SteppingVAE(VAE):
    """A variant of the user's own that takes the loader's batches for minibatches."""

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Make a joint update."""
        return {"loss": self.update(batch, JOINT).loss.detach()}


class Counts(Callback):
    """Looks at the loader's batches."""

    def on_train_batch_end(self, *args: Any) -> None:
        """Do nothing."""


@pytest.mark.parametrize("binarize", [None, "dynamic"])
@pytest.mark.parametrize(
    "schedule",
    [Joint(), Lagging(ratio=2, epochs=1), Lagging(ratio=2, epochs=1, batches="fresh")],
    ids=["joint", "lagging", "fresh"],
)
def test_training_is_bitwise_that_of_one_minibatch_at_a_time(
    schedule: Schedule, binarize: Any, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    found = []
    for count in (1, 2, 8):
        torch.manual_seed(0)
        variant = OptimalSigmaVAE if schedule.name == "joint" else LaggingVAE
        system = make_system(variant, make_network(), "sigma_optimal", schedule)
        recorder, data = Recorder(system), make_data()
        data.binarize = binarize
        torch.manual_seed(1)
        trainer = fit(system, data, epochs=2, callbacks=[AtOnce(count)])
        assert data.at_once == count
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        found.append((shared_state(system), recorder.images, metrics, system.images_seen))
    (alone, *rest) = found
    # 22 images: 8, 8 and the 6 of a last, smaller minibatch.
    assert {len(images) for images in alone[1]} == {8, 6}
    for together in rest:
        assert equal(alone[0], together[0])
        assert alone[1:] == together[1:]


def test_a_run_that_is_asked_to_end_does_so_after_its_minibatch(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    """As Lightning ends it after a batch of the loader."""
    system = make_system(OptimalSigmaVAE, make_network(), "sigma_optimal")
    recorder = Recorder(system)
    update = system.update

    def asked(batch: Batch, made: Update) -> ForwardPass:
        system.trainer._signal_connector.received_sigterm = True
        return update(batch, made)

    system.update = asked  # type: ignore[method-assign]
    with pytest.raises(SIGTERMException):
        fit(system, make_data(), callbacks=[AtOnce(8)])
    assert [len(images) for images in recorder.images] == [8]


def test_several_come_at_once_unless_somebody_counts_them(compose: Compose, tmp_path: Path) -> None:
    def count(*options: str, callback: Callback | None = None) -> int:
        config = compose("model=vae", *TINY, *options)
        data, system, trainer = build(config, tmp_path)
        if callback is not None:
            callbacks_of(trainer).append(callback)
        trainer.datamodule = data  # type: ignore[attr-defined]
        arrange(trainer, system)
        assert system.minibatch_size == (data.batch_size if data.at_once > 1 else None)
        return data.at_once

    assert count() == MOST["cpu"]
    assert count("+trainer.limit_train_batches=1") == 1
    assert count("+trainer.limit_train_batches=0.5") == 1
    assert count("+trainer.limit_train_batches=1.0") == MOST["cpu"]
    assert count("+trainer.max_time=00:01:00:00") == 1
    assert count(callback=Counts()) == 1
    assert count(callback=LambdaCallback(on_train_batch_end=Counts().on_train_batch_end)) == 1
    assert count(callback=Callback()) == MOST["cpu"]
    for own in (CountingVAE, SteppingVAE):
        assert count(f"model._target_={own.__module__}.{own.__name__}", "trust=[tests]") == 1
    # Large minibatches need no company.
    assert count("data.batch_size=1000") == 1


def test_validation_takes_many_images_at_once_unless_its_result_depends_on_it(
    compose: Compose, tmp_path: Path
) -> None:
    def sizes(*options: str) -> tuple[int, int]:
        data, system, trainer = build(compose(*TINY, "data.batch_size=16", *options), tmp_path)
        data.setup()
        trainer.datamodule = data  # type: ignore[attr-defined]
        arrange(trainer, system)
        return len(next(iter(data.val_dataloader())).images), len(data.split("val"))

    few, every = sizes("model=vae")
    assert few == min(VALIDATED, every) > 16
    assert sizes("model=mmd_infovae")[0] == 16
    assert sizes("model=vae", "+trainer.limit_val_batches=2")[0] == 16


def test_a_gpu_validates_more_of_large_images_at_once(make_data: MakeData) -> None:
    data = make_data()
    data.image_shape = (3, 128, 128)
    sizes = {}
    for kind in ("cpu", "cuda"):
        strategy = SimpleNamespace(root_device=torch.device(kind))
        trainer: Any = SimpleNamespace(strategy=strategy, limit_val_batches=1.0)
        sizes[kind] = images_validated_at_once(trainer, data, ELBO())
    assert sizes == {"cpu": MOST_NUMBERS // (3 * 128 * 128), "cuda": VALIDATED}


def test_a_second_training_takes_nothing_over_from_the_first(
    compose: Compose, tmp_path: Path, fit: Fit
) -> None:
    drawn = [f"callbacks.{name}=null" for name in ("images", "collapse", "curves", "progress")]
    options = ("model=vae", *TINY, *drawn, "data.batch_size=16", "data.val_fraction=0.9")
    data, system, trainer = build(compose(*options, "trainer.max_epochs=1"), tmp_path)
    trainer.fit(system, data)
    assert (data.at_once, data.validated_at_once) == (MOST["cpu"], VALIDATED)
    assert system.minibatch_size == 16

    # Other data of larger minibatches, by a trainer that was made by hand.
    other, _, _ = build(compose(*options, "data.batch_size=24"), tmp_path)
    recorder = Recorder(system)
    fit(system, other, limit_train_batches=2)
    assert [len(images) for images in recorder.images] == [24, 24]
    assert system.minibatch_size is None

    # The first data, whose minibatches came together.
    recorder.images.clear()
    fit(system, data, limit_train_batches=3)
    assert [len(images) for images in recorder.images] == [16, 16, 16]
    assert (data.at_once, data.validated_at_once) == (1, None)


def test_data_that_are_built_into_a_second_run_have_its_passes(
    compose: Compose, tmp_path: Path
) -> None:
    def passes(*options: str, data: ImageDataModule | None = None) -> ImageDataModule:
        return build(compose("model=vae", *TINY, *options), tmp_path, data)[0]

    data = passes("+data.passes=3")
    assert data.passes == 3
    assert passes("+data.passes=2", data=data).passes == 2
    assert passes(data=data).passes == 1

"""When the aggressive phase of lagging training ends."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae.data import ImageDataModule
from reslag_vae.models.generative import GROUPS
from reslag_vae.networks import Network
from reslag_vae.training.schedules import Lagging
from reslag_vae.variants import (
    LaggingVAE,
)
from tests.systems import Fed, make_system
from tests.updates import Recorder

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


def test_the_phase_ends_when_mutual_information_stops_rising(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(
        LaggingVAE, make_network(), "elbo", Lagging(ratio=1, epochs=5, until="mutual_information")
    )
    recorder = Recorder(model)
    Fed(model, mutual_information=[0.1, 0.3, 0.3, 0.5, 0.6])
    fit(model, make_data(), epochs=5)
    assert model.schedule.phase_ended_at == 3
    assert [epoch for epoch, update in recorder.updates if update.groups == GROUPS] == [3] * 3 + [
        4
    ] * 3


@pytest.mark.parametrize(
    ("values", "ended"),
    [([1.0, 2.39, 2.31, 2.3], None), ([1.0, 2.39, 2.3, 1.0], 4), ([1.0, 2.39, 1.5, 1.2], 4)],
)
def test_a_saturated_estimate_of_mutual_information_does_not_end_the_phase(
    values: list[float], ended: int | None, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    """The ceiling of 11 images is ln 11 = 2.398 nats, 95% of which are 2.278."""
    model = make_system(
        LaggingVAE, make_network(), "elbo", Lagging(ratio=1, epochs=4, until="mutual_information")
    )
    Fed(model, mutual_information=values)
    fit(model, make_data(train=8, val=11), epochs=4)
    assert model.schedule.phase_ended_at == ended


@pytest.mark.parametrize("every", [1, 2])
def test_epochs_without_validation_say_nothing_of_the_phase(
    every: int, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(
        LaggingVAE, make_network(), "elbo", Lagging(ratio=1, epochs=6, until="mutual_information")
    )
    Fed(model, mutual_information=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    fit(model, make_data(), epochs=6, check_val_every_n_epoch=every)
    assert model.schedule.phase_ended_at is None


def test_the_phase_is_never_longer_than_its_epochs(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(
        LaggingVAE, make_network(), "elbo", Lagging(ratio=1, epochs=1, until="mutual_information")
    )
    recorder = Recorder(model)
    Fed(model, mutual_information=[0.1, 0.3])
    fit(model, make_data(), epochs=2)
    assert [epoch for epoch, update in recorder.updates if update.groups == GROUPS] == [1] * 3


@pytest.mark.parametrize(("values", "aggressive"), [([0.4, 0.2], []), ([0.1, 0.4], [2, 3])])
def test_the_end_of_the_phase_survives_a_checkpoint(
    values: list[float],
    aggressive: list[int],
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
) -> None:
    first, second = (
        make_system(
            LaggingVAE,
            make_network(),
            "elbo",
            Lagging(ratio=1, epochs=4, until="mutual_information"),
        )
        for _ in range(2)
    )
    data, path = make_data(), tmp_path / "a.ckpt"
    Fed(first, mutual_information=values)
    # As if it ran for 4 epochs and were stopped after 2.
    fit(first, data, epochs=4, callbacks=[StopAfter(2)]).save_checkpoint(path)
    Fed(second, mutual_information=[0.41, 0.42])
    recorder = Recorder(second)
    fit(second, data, epochs=4, ckpt_path=path)
    assert (
        sorted({epoch for epoch, update in recorder.updates if update.groups != GROUPS})
        == aggressive
    )
    assert second.images_seen == 4 * 22


class StopAfter(Callback):
    """Stops a run after some epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 == self.epochs


def test_a_phase_longer_than_the_run_is_refused(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    with pytest.raises(ValueError, match=r"longer than the run.*max_epochs=2"):
        fit(
            make_system(LaggingVAE, make_network(), "elbo", Lagging(epochs=3)),
            make_data(),
            epochs=2,
        )

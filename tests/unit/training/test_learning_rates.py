"""Clipping and learning rates in training."""

import copy
from collections.abc import Callable

import pytest
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from reslag_vae.data import ImageDataModule
from reslag_vae.models.generative import GROUPS
from reslag_vae.networks import Network
from reslag_vae.objectives import ELBO
from reslag_vae.training.optimizers import AdamSettings, Plateau
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import (
    VAE,
)
from tests.systems import Fed, make_system
from tests.updates import Recorder

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_each_group_is_clipped_by_itself(
    precision: str, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    free = make_system(VAE, make_network(), "elbo")
    clipped = VAE(copy.deepcopy(free.model), ELBO(), optimizer=AdamSettings(clip_norm=1e-3))
    recorders = Recorder(free), Recorder(clipped)
    for recorder in recorders:
        fit(recorder.system, make_data(), precision=precision)
    assert [len(recorder.norms) for recorder in recorders] == [3, 3]
    for name in GROUPS:
        assert all(norms[name] > 2e-3 for norms in recorders[0].norms)
        assert all(norms[name] == pytest.approx(1e-3, rel=1e-3) for norms in recorders[1].norms)


class Rates(Callback):
    """Notes the learning rates that each epoch begins with."""

    def __init__(self) -> None:
        self.rates: list[dict[str, float]] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, BaseVAE)
        self.rates.append(pl_module.learning_rates())


def test_the_learning_rate_halves_on_a_plateau_and_ends_the_run(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(
        VAE, make_network(), "elbo", optimizer=AdamSettings(plateau=Plateau(stop_below=9e-4))
    )
    Fed(model, loss=[3.0, 2.0, 2.5, 2.0, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9, 1.9])
    rates = Rates()
    trainer = fit(model, make_data(), epochs=12, callbacks=[rates])
    # Epoch 5 is the best; 6, 7 and 8 do not improve on it, nor do 9, 10 and 11.
    assert [each["inference"] for each in rates.rates] == [2e-3] * 8 + [1e-3] * 3
    assert all(each["inference"] == each["generative"] for each in rates.rates)
    assert trainer.current_epoch == 11
    assert model.stopped_because == "learning rate 0.0005 fell below 0.0009"


def test_epochs_without_validation_are_none_without_improvement(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    plateau = Plateau(patience=1, stop_below=1e-9)
    model = make_system(VAE, make_network(), "elbo", optimizer=AdamSettings(plateau=plateau))
    Fed(model, loss=[3.0, 2.0, 1.0])
    rates = Rates()
    fit(model, make_data(), epochs=6, callbacks=[rates], check_val_every_n_epoch=2)
    assert len({rate for epoch in rates.rates for rate in epoch.values()}) == 1


def test_without_a_plateau_the_learning_rate_stays(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model, rates = make_system(VAE, make_network(), "elbo"), Rates()
    Fed(model, loss=[1.0] * 6)
    fit(model, make_data(), epochs=6, callbacks=[rates])
    assert rates.rates == [{"inference": 2e-3, "generative": 2e-3}] * 6
    assert model.stopped_because is None

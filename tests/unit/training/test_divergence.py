"""Numbers that are not finite end a run; images of one grey do not."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor

from reslag_vae._runtime.errors import NonFiniteError
from reslag_vae.data import ImageDataModule
from reslag_vae.likelihoods.variance import SIGMA2_FLOOR
from reslag_vae.networks import Network
from reslag_vae.objectives import Terms
from reslag_vae.training.callbacks import BestAndLast
from reslag_vae.training.forward import ForwardPass
from reslag_vae.training.schedules import Update
from reslag_vae.variants import (
    VAE,
    OptimalSigmaVAE,
)
from tests.systems import Fed, make_system, network_of

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


def test_an_evaluation_that_is_not_finite_ends_the_run(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    model = make_system(VAE, make_network(), "elbo")
    Fed(model, loss=[3.0, 2.0, math.nan], kl=[1.0, 1.0, math.inf])
    with pytest.raises(
        NonFiniteError, match=r"^Epoch 3: val loss, kl not finite\..* optimizer\.clip_norm"
    ):
        fit(model, make_data(train=8), epochs=4, callbacks=[BestAndLast()])
    epochs = {
        path.name: torch.load(path, weights_only=True)["epoch"]
        for path in (tmp_path / "checkpoints").iterdir()
    }
    assert epochs == {"best.ckpt": 1, "last.ckpt": 1, "previous.ckpt": 0}


def test_a_training_epoch_that_is_not_finite_ends_the_run(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    model = make_system(VAE, make_network(), "elbo")
    original = model.terms

    def terms(*arguments: Any) -> Terms:
        found = original(*arguments)
        return found if model.current_epoch == 0 else found._replace(loss=found.loss * math.nan)

    model.terms = terms  # type: ignore[method-assign]
    with pytest.raises(NonFiniteError, match=r"^Epoch 2, minibatch 1: train loss not finite"):
        fit(model, make_data(train=8), epochs=3, callbacks=[BestAndLast()])
    epochs = {
        path.name: torch.load(path, weights_only=True)["epoch"]
        for path in (tmp_path / "checkpoints").iterdir()
    }
    assert epochs == {"best.ckpt": 0, "last.ckpt": 0}


def test_the_minibatch_that_broke_the_weights_is_named(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model: Any = make_system(VAE, make_network(), "elbo")
    original = model.update

    def update(images: Tensor, groups: Update) -> ForwardPass:
        if (model.current_epoch, model.images_seen) == (1, 22 + 8):
            next(network_of(model).inference.parameters()).data.fill_(math.nan)
        return original(images, groups)

    model.update = update
    with pytest.raises(
        NonFiniteError, match=r"^Epoch 2, minibatch 2: train loss, distortion, rec, kl not finite"
    ):
        fit(model, make_data(), epochs=3)


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("rule", ["sigma_data", "sigma_optimal"])
def test_images_of_one_grey_train_with_the_variance_at_its_floor(
    rule: str, grey: int, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    data = make_data()
    data.split("train").store.fill_(grey)
    data.split("val").store.fill_(grey)
    model = make_system(OptimalSigmaVAE, make_network(), rule)
    metrics = fit(model, data, epochs=2).callback_metrics
    assert all(math.isfinite(value) for value in metrics.values())
    if rule == "sigma_data":
        assert metrics["train/sigma2_floored"] == 1
        assert float(metrics["val/sigma2"]) == pytest.approx(SIGMA2_FLOOR)


def test_a_sanity_check_that_is_not_finite_ends_nothing(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = make_system(VAE, make_network(), "elbo")
    Fed(model, loss=[math.nan, 3.0])
    trainer = fit(model, make_data(), num_sanity_val_steps=1)
    assert float(trainer.callback_metrics["val/loss"]) == 3

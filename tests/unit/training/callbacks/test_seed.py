"""The noise of an epoch."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from lightning import LightningModule, Trainer

from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.training.callbacks import EpochSeed
from reslag_vae.variants import VAE
from tests.systems import make_system


def noise(seed: int, epoch: int) -> tuple[float, ...]:
    """The first numbers drawn in an epoch, after any number of others."""
    torch.randn(torch.randint(1, 50, ()).item())  # type: ignore[call-overload]
    trainer = SimpleNamespace(current_epoch=epoch)
    EpochSeed(seed).on_train_epoch_start(cast(Trainer, trainer), cast(LightningModule, None))
    return tuple(torch.randn(4).tolist())


@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (0, 1), (3, 7)])
def test_noise_is_a_function_of_seed_and_epoch(seed: int, epoch: int) -> None:
    assert noise(seed, epoch) == noise(seed, epoch)


def test_noise_differs_over_seeds_and_epochs() -> None:
    assert len({noise(seed, epoch) for seed in range(4) for epoch in range(4)}) == 16


def test_noise_of_an_epoch_does_not_depend_on_how_the_run_got_there(
    make_network: Callable[..., Network],
    make_data: Callable[..., ImageDataModule],
    fit: Callable[..., Trainer],
) -> None:
    states = []
    for steps in (0, 2):
        torch.manual_seed(steps)
        fit(
            make_system(VAE, make_network(), "elbo"),
            make_data(),
            1,
            [EpochSeed(0)],
            num_sanity_val_steps=steps,
        )
        states.append(torch.get_rng_state())
    assert torch.equal(*states)

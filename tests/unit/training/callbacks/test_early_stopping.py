"""A run that gets no better ends."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lightning import Trainer

from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.training.callbacks import BestAndLast, EarlyStopping
from reslag_vae.training.lookup import sure_epochs
from reslag_vae.training.schedules import Lagging, Schedule
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import VAE, LaggingVAE
from tests.systems import Fed, make_system

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]

# The best is the second; from then on it gets no better.
LOSSES = [3.0, 1.0, 2.0, 1.5, 1.2, 1.1, 1.3, 1.4, 2.0, 2.0]


def fed(network: Network, schedule: Schedule | None = None) -> BaseVAE:
    """A model whose validation losses are those."""
    kind = VAE if schedule is None else LaggingVAE
    model = make_system(kind, network, "elbo", schedule)
    Fed(model, loss=LOSSES)
    return model


@pytest.mark.parametrize(
    ("updates", "epochs"),
    [
        (12, 6),  # 3 minibatches an epoch: 4 epochs after the best
        (13, 7),
        (1, 5),  # never after fewer than 3
        (1000, 10),
    ],
)
def test_patience_is_counted_in_updates(
    updates: int, epochs: int, make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = fed(make_network())
    trainer = fit(model, make_data(), 10, [EarlyStopping(updates=updates)])
    assert trainer.current_epoch == epochs
    said = f"val/loss has not fallen for {(epochs - 2) * 3} updates"
    assert model.stopped_because == (said if epochs < 10 else None)
    assert sure_epochs(trainer) == min(10, epochs - 2 if epochs < 10 else 10)


def test_aggressive_epochs_do_not_count(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    model = fed(make_network(), Lagging(ratio=1, epochs=4))
    trainer = fit(model, make_data(), 10, [EarlyStopping(updates=1)])
    # Of those after the fourth the sixth is the best.
    assert trainer.current_epoch == 9


def test_a_run_that_goes_on_remembers_how_long_it_got_no_better(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    fit(fed(make_network()), make_data(), 4, [EarlyStopping(updates=12), BestAndLast()])
    last = tmp_path / "checkpoints" / "last.ckpt"
    model = make_system(VAE, make_network(), "elbo")
    Fed(model, loss=LOSSES[4:])
    callbacks = [EarlyStopping(updates=12), BestAndLast()]
    assert fit(model, make_data(), 10, callbacks, last).current_epoch == 6
    again = make_system(VAE, make_network(), "elbo")
    fit(again, make_data(), 10, callbacks, last)
    assert again.stopped_because == "val/loss has not fallen for 12 updates"


def test_a_number_of_updates_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"callbacks\.early_stopping\.updates=0: must be"):
        EarlyStopping(updates=0)

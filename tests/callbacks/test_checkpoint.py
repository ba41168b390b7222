"""The best epoch and the last one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer

from reslag_vae.callbacks import BestAndLast
from reslag_vae.data import ImageDataModule
from reslag_vae.models import VAE
from reslag_vae.networks import Network
from reslag_vae.objectives import ELBO

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]


def fed(network: Network, losses: list[float]) -> VAE:
    """A model whose validation losses are these."""
    model, values = VAE(network, ELBO()), iter(losses)
    original = model.end_evaluation
    model.end_evaluation = lambda: original() | {"loss": next(values)}  # type: ignore[method-assign]
    return model


def read(folder: Path, which: str) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(folder / "checkpoints" / f"{which}.ckpt", weights_only=True)
    return checkpoint


def test_the_smallest_loss_and_the_last_epoch_are_kept(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    keeper = BestAndLast()
    fit(fed(make_network(), [3.0, 1.0, 2.0, 4.0]), make_data(), 4, [keeper])
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert (read(tmp_path, "best")["epoch"], read(tmp_path, "last")["epoch"]) == (1, 3)
    assert keeper.best_score == 1


def test_a_loss_that_is_no_number_is_never_the_best(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    nan = float("nan")
    fit(fed(make_network(), [nan, 3.0, nan, 4.0]), make_data(), 4, [BestAndLast()])
    assert (read(tmp_path, "best")["epoch"], read(tmp_path, "last")["epoch"]) == (1, 3)


def test_without_any_number_there_is_no_best(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    fit(fed(make_network(), [float("nan"), float("nan")]), make_data(), 2, [BestAndLast()])
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize(("losses", "best", "score"), [([2.0, 1.5], 1, 1.0), ([0.5, 2.0], 2, 0.5)])
def test_the_best_epoch_outlives_a_move_of_the_folder(
    losses: list[float],
    best: int,
    score: float,
    make_network: MakeNetwork,
    make_data: MakeData,
    fit: Fit,
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    fit(fed(make_network(), [3.0, 1.0]), make_data(), 2, [BestAndLast()], default_root_dir=old)
    shutil.move(old, new)
    keeper = BestAndLast()
    last = new / "checkpoints" / "last.ckpt"
    fit(fed(make_network(), losses), make_data(), 4, [keeper], ckpt_path=last, default_root_dir=new)
    assert read(new, "best")["epoch"] == best
    assert read(new, "last")["epoch"] == 3
    assert keeper.best_score == score
    assert not old.exists()
    assert sorted(path.name for path in (new / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_another_value_can_be_monitored(make_network: MakeNetwork, make_data: MakeData, fit: Fit) -> None:
    keeper = BestAndLast(monitor="val/rec")
    trainer = fit(fed(make_network(), [1.0, 2.0, 3.0]), make_data(), 3, [keeper])
    assert keeper.best_score is not None
    assert keeper.best_score <= float(trainer.callback_metrics["val/rec"])
    assert keeper.monitor == "val/rec"

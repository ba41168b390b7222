"""The best epoch and the last one."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from lightning import LightningModule, Trainer

from reslag_vae._runtime.errors import ConfigError
from reslag_vae.data import ImageDataModule
from reslag_vae.networks import Network
from reslag_vae.training.callbacks import BestAndLast
from reslag_vae.training.callbacks.checkpoint import score_of
from reslag_vae.training.system import BaseVAE
from reslag_vae.variants import VAE
from tests.systems import Fed, make_system

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]

NAMES = ["best.ckpt", "last.ckpt", "previous.ckpt"]


def fed(network: Network, losses: list[float]) -> BaseVAE:
    """A model whose validation losses are these."""
    model = make_system(VAE, network, "elbo")
    Fed(model, loss=losses)
    return model


def read(folder: Path, which: str) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(
        folder / "checkpoints" / f"{which}.ckpt", weights_only=True
    )
    return checkpoint


def test_the_smallest_loss_and_the_last_epoch_are_kept(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    keeper = BestAndLast()
    fit(fed(make_network(), [3.0, 1.0, 2.0, 4.0]), make_data(), 4, [keeper])
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == NAMES
    assert [read(tmp_path, name.removesuffix(".ckpt"))["epoch"] for name in NAMES] == [1, 3, 2]
    assert keeper.best_score == 1


def keep(folder: Path, losses: list[float]) -> BestAndLast:
    """A BestAndLast after epochs with these losses.

    Its checkpoints hold the number of the epoch (from 0).
    """
    keeper = BestAndLast()
    for epoch, loss in enumerate(losses):

        def save_checkpoint(path: Path, content: str = str(epoch)) -> None:
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)

        trainer = SimpleNamespace(
            callback_metrics={"val/loss": torch.tensor(loss)},
            default_root_dir=folder,
            save_checkpoint=save_checkpoint,
            is_global_zero=True,
        )
        keeper.on_train_epoch_end(cast(Trainer, trainer), cast(LightningModule, None))
    return keeper


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_never_the_best(broken: float, tmp_path: Path) -> None:
    assert keep(tmp_path, [broken, 3.0, broken, 4.0]).best_score == 3
    assert {path.name: path.read_text() for path in (tmp_path / "checkpoints").iterdir()} == {
        "best.ckpt": "1",
        "last.ckpt": "3",
        "previous.ckpt": "2",
    }


def test_without_any_number_there_is_no_best(tmp_path: Path) -> None:
    assert keep(tmp_path, [math.nan, math.nan]).best_score is None
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {
        "last.ckpt",
        "previous.ckpt",
    }


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
    assert sorted(path.name for path in (new / "checkpoints").iterdir()) == NAMES


def test_the_best_epoch_has_its_own_value_where_a_kill_came_before_the_last_one(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    fit(fed(make_network(), [3.0, 1.0]), make_data(), 2, [BestAndLast()])
    checkpoints = tmp_path / "checkpoints"
    (checkpoints / "previous.ckpt").replace(checkpoints / "last.ckpt")
    keeper, last = BestAndLast(), checkpoints / "last.ckpt"
    # As on a GPU, the second epoch is not bitwise what it was.
    fit(fed(make_network(), [2.0, 1.5]), make_data(), 3, [keeper], ckpt_path=last)
    assert keeper.best_score == 1.0
    best, last = read(tmp_path, "best"), read(tmp_path, "last")
    values = score_of(best, "val/loss"), score_of(last, "val/loss")
    assert (best["epoch"], *values) == (1, 1.0, 1.5)


def test_a_checkpoint_of_before_has_its_value_among_its_metrics() -> None:
    rows = [{"epoch": 1, "val/loss": 1.0}, {"epoch": 2, "val/loss": 1.5}]
    state = {"BestAndLast": {"best_score": 1.0}}
    assert score_of({"callbacks": state | {"MetricsFile": {"rows": rows}}}, "val/loss") == 1.5
    assert score_of({"callbacks": state}, "val/loss") == 1.0


def test_a_subclass_keeps_the_best_epoch_when_it_goes_on(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    class Own(BestAndLast):
        pass

    fit(fed(make_network(), [1.0, 2.0]), make_data(), 2, [Own()])
    keeper, last = Own(), tmp_path / "checkpoints" / "last.ckpt"
    fit(fed(make_network(), [1.5]), make_data(), 3, [keeper], ckpt_path=last)
    assert (keeper.best_score, read(tmp_path, "best")["epoch"]) == (1.0, 0)


def test_another_value_can_be_monitored(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    keeper = BestAndLast(monitor="val/rec")
    trainer = fit(fed(make_network(), [1.0, 2.0, 3.0]), make_data(), 3, [keeper])
    assert keeper.best_score is not None
    assert keeper.best_score <= float(trainer.callback_metrics["val/rec"])
    assert keeper.monitor == "val/rec"


def test_what_cannot_be_monitored_is_named_with_what_can(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigError, match=r"monitor=val/los: there is no such metric; there are .*val/loss, "
    ) as error:
        fit(fed(make_network(), [1.0]), make_data(), 1, [BestAndLast(monitor="val/los")])
    assert "train/rec" in str(error.value)
    assert not (tmp_path / "checkpoints").exists()

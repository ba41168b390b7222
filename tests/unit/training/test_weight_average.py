"""The moving average of the weights: its equation, and what it is and is not in a training."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from reslag_vae.data import ImageDataModule
from reslag_vae.evaluation.epoch import evaluate
from reslag_vae.networks import Network
from reslag_vae.training.at_once import AtOnce
from reslag_vae.training.callbacks import BestAndLast, EpochSeed
from reslag_vae.training.optimizers import AdamSettings
from reslag_vae.training.schedules import Joint, Lagging
from reslag_vae.training.system import BaseVAE
from reslag_vae.training.weight_average import WeightAverage
from reslag_vae.variants import LaggingVAE, OptimalSigmaVAE
from tests.systems import make_system
from tests.updates import equal

MakeNetwork = Callable[..., Network]
MakeData = Callable[..., ImageDataModule]
Fit = Callable[..., Trainer]

DECAY = 0.75


class Tied(nn.Module):
    """A layer under two names, beside running averages, a count, and numbers in float64."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 2)
        self.again = self.first
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("exact", torch.randn(4, dtype=torch.float64))


def change(module: nn.Module) -> None:
    with torch.no_grad():
        for own in (*module.parameters(), *module.buffers()):
            own.add_(torch.randn_like(own) if own.is_floating_point() else 1)


def by_hand(states: list[Tensor], start: Tensor) -> Tensor:
    """By one weight for each state, in float64, in place of a recurrence."""
    decays = [min(DECAY, (1 + t) / (10 + t)) for t in range(1, len(states) + 1)]
    weights = [(1 - decay) * math.prod(decays[t:]) for t, decay in enumerate(decays, 1)]
    weights = [math.prod(decays), *weights]
    assert sum(weights) == pytest.approx(1)
    every = torch.stack([start, *states]).double()
    return torch.einsum("t,t...->...", torch.tensor(weights, dtype=torch.float64), every)


def test_it_looks_back_on_few_steps_at_first_and_then_on_as_many_as_the_decay_says() -> None:
    torch.manual_seed(0)
    module = Tied()
    average = WeightAverage(module, DECAY)
    start = copy.deepcopy(module.state_dict())
    seen: dict[str, list[Tensor]] = {}
    for _ in range(40):
        change(module)
        average.update()
        for name, own in module.state_dict().items():
            seen.setdefault(name, []).append(own.clone())
    found = average.averages()
    assert set(seen) - set(found) == {"norm.num_batches_tracked"}
    for name, own in found.items():
        assert own.dtype == seen[name][0].dtype
        torch.testing.assert_close(
            own.double(), by_hand(seen[name], start[name]), rtol=1e-6, atol=1e-6
        )
    assert torch.equal(found["first.weight"], found["again.weight"])


def test_a_weight_that_stands_still_is_its_average_bitwise() -> None:
    module = Tied()
    average = WeightAverage(module, DECAY)
    for _ in range(20):
        average.update()
    averages, state = average.averages(), module.state_dict()
    assert all(torch.equal(own, state[name]) for name, own in averages.items())


def test_it_is_shown_in_place_and_hidden_again() -> None:
    module = Tied()
    average = WeightAverage(module, DECAY)
    before = copy.deepcopy(module.state_dict())
    average.show()
    assert not average.shown, "of no step"
    for _ in range(3):
        change(module)
        average.update()
    trained = copy.deepcopy(module.state_dict())
    averages = {name: own.clone() for name, own in average.averages().items()}
    places = [own.data_ptr() for own in (*module.parameters(), *module.buffers())]
    for _ in range(2):  # again is as once
        average.show()
    assert equal({name: module.state_dict()[name] for name in averages}, averages)
    assert equal(dict(average.averages()), averages)
    for _ in range(2):
        average.hide()
    assert equal(module.state_dict(), trained)
    assert not equal(trained, before)
    assert places == [own.data_ptr() for own in (*module.parameters(), *module.buffers())]


class Steps(Callback):
    """Keeps the model's state after each training step of a lone minibatch."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.states.append(copy.deepcopy(pl_module.model.state_dict()))


def lagging(network: Network, decay: float | None) -> BaseVAE:
    schedule, settings = Lagging(ratio=2, epochs=1), AdamSettings(ema_decay=decay)
    return make_system(LaggingVAE, network, "sigma_optimal", schedule, settings)


def test_training_is_bitwise_that_without_and_ends_with_the_average_of_its_steps(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    runs = []
    for decay in (None, DECAY):
        torch.manual_seed(0)
        system, steps = lagging(make_network(), decay), Steps()
        start = copy.deepcopy(system.model.state_dict())
        torch.manual_seed(1)
        fit(system, make_data(), epochs=2, callbacks=[steps])
        runs.append((system, steps.states))
    (plain, states), (averaged, others) = runs
    assert len(states) == 6, "one for each minibatch, whatever the number of its updates"
    assert all(equal(*pair) for pair in zip(states, others, strict=True))
    assert equal(plain.model.state_dict(), states[-1])
    end = averaged.model.state_dict()
    for name, own in end.items():
        if own.is_floating_point():
            wanted = by_hand([state[name] for state in states], start[name])
            torch.testing.assert_close(own.double(), wanted, rtol=1e-5, atol=1e-7)


def test_it_is_the_same_for_several_minibatches_at_once(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    ends = []
    for at_once in (1, 2):
        torch.manual_seed(0)
        system = lagging(make_network(), DECAY)
        torch.manual_seed(1)
        fit(system, make_data(), epochs=2, callbacks=[AtOnce(at_once)])
        ends.append(system.model.state_dict())
    assert equal(*ends)


class Seen(Callback):
    """Keeps the model's state at the end of each epoch, where pictures are drawn."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.states.append(copy.deepcopy(pl_module.model.state_dict()))


def test_what_is_validated_is_drawn_and_kept(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    system, data, seen = lagging(make_network(), DECAY), make_data(), Seen()
    trainer = fit(system, data, epochs=2, callbacks=[BestAndLast(), seen])
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    kept = {
        name.removeprefix("model."): own
        for name, own in checkpoint["state_dict"].items()
        if name.startswith("model.")
    }
    assert equal(kept, seen.states[-1])
    assert equal(kept, system.model.state_dict())
    trained = checkpoint["progress"]["average"]["weights"]
    assert not equal({name: kept[name] for name in trained}, trained)
    # The noise of a validation is its own, and so the same at each time.
    again = make_system(LaggingVAE, make_network(), "sigma_optimal")
    again.model.load_state_dict(kept)
    loss = validated(again, data)
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(loss, rel=1e-6)
    again.model.load_state_dict(kept | trained)
    assert validated(again, data) != pytest.approx(loss, rel=1e-6)


def validated(system: BaseVAE, data: ImageDataModule) -> float:
    system.eval()
    return evaluate(system.model, system.objective, data.val_dataloader()).metrics(1.0)["loss"]


def test_a_checkpoint_between_validations_holds_both(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    class Saves(Callback):
        def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
            trainer.save_checkpoint(tmp_path / f"{trainer.global_step}.ckpt")

    system = make_system(
        OptimalSigmaVAE,
        make_network(),
        "sigma_optimal",
        Joint(),
        AdamSettings(ema_decay=DECAY),
    )
    steps, start = Steps(), copy.deepcopy(system.model.state_dict())
    fit(system, make_data(), callbacks=[steps, Saves()])
    checkpoint = torch.load(tmp_path / "4.ckpt", weights_only=True)
    states = steps.states[:2]
    for name, own in checkpoint["progress"]["average"]["weights"].items():
        assert torch.equal(own, states[-1][name])
        wanted = by_hand([state[name] for state in states], start[name])
        kept = checkpoint["state_dict"][f"model.{name}"].double()
        torch.testing.assert_close(kept, wanted, rtol=1e-5, atol=1e-7)


def test_a_training_goes_on_bitwise(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit, tmp_path: Path
) -> None:
    ends = []
    for stops in ((3,), (1, 3)):
        last: Path | None = None
        for epochs in stops:
            torch.manual_seed(0)
            system = lagging(make_network(), DECAY)
            fit(system, make_data(), epochs, [BestAndLast(), EpochSeed(1)], last)
            last = tmp_path / "checkpoints" / "last.ckpt"
        assert last is not None
        ends.append(torch.load(last, weights_only=True))
    assert equal(ends[0]["state_dict"], ends[1]["state_dict"])
    averages = [end["progress"]["average"] for end in ends]
    assert float(averages[0]["steps"]) == float(averages[1]["steps"]) == 9
    assert equal(averages[0]["weights"], averages[1]["weights"])


def test_a_second_training_begins_an_average_of_its_own(
    make_network: MakeNetwork, make_data: MakeData, fit: Fit
) -> None:
    system = lagging(make_network(), DECAY)
    fit(system, make_data(), epochs=2)
    assert system.average is not None
    assert int(system.average.steps) == 6
    before = copy.deepcopy(system.model.state_dict())
    steps = Steps()
    fit(system, make_data(), epochs=1, callbacks=[steps])
    assert int(system.average.steps) == 3
    assert not equal(steps.states[0], before)

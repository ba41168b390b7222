from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch
from torch import nn

from reslag_vae.latents import FlowPrior
from reslag_vae.training.optimizers import AdamSettings, Plateau


def plateau_rates(plateau: Plateau, losses: list[float]) -> list[float]:
    """Learning rate after each epoch, from 1."""
    optimizer = AdamSettings(lr=1.0).build([nn.Parameter(torch.zeros(1))])
    scheduler = plateau.build(optimizer)
    rates = []
    for loss in losses:
        scheduler.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("start", [5.0, -700.0])
def test_plateau_halves_after_exactly_patience_epochs(patience: int, start: float) -> None:
    still = [start] * (2 * patience)
    expected = [1.0] + [1.0] * (patience - 1) + [0.5] * patience + [0.25]

    assert plateau_rates(Plateau(patience=patience), [start, *still]) == expected


def test_any_improvement_starts_the_count_again() -> None:
    losses = [-5.0, -5.0, -5.0, -5.0 - 1e-9, -5.0, -5.0, -5.0]
    assert plateau_rates(Plateau(patience=3), losses) == [1.0] * 6 + [0.5]


def test_factor_is_that_of_the_cut() -> None:
    assert plateau_rates(Plateau(factor=0.1, patience=1), [0.0, 0.0, 0.0]) == pytest.approx(
        [1.0, 0.1, 0.01]
    )


def test_two_adams_on_disjoint_groups_equal_one_bitwise() -> None:
    def train(groups: int) -> list[torch.Tensor]:
        torch.manual_seed(0)
        halves = [nn.Linear(5, 4), nn.Linear(4, 5)]
        together = nn.ModuleList(halves)
        optimizers = [
            AdamSettings().build(m.parameters()) for m in (halves if groups == 2 else [together])
        ]
        data = torch.randn(20, 8, 5)
        for x in data:
            loss = (halves[1](halves[0](x).tanh()) - x).square().sum()
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
        return [p.detach() for p in together.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(train(2), train(1), strict=True))


def test_adam_follows_the_formula() -> None:
    # Kingma & Ba 2015, algorithm 1, on a scalar.
    lr, beta1, beta2 = 0.1, 0.8, 0.95
    parameter = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = AdamSettings(lr=lr, betas=(beta1, beta2)).build([parameter])
    x, m, v = 1.0, 0.0, 0.0
    for t in range(1, 11):
        optimizer.zero_grad()
        (parameter**4).sum().backward()
        optimizer.step()
        gradient = 4 * x**3
        m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
        x -= lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)) ** 0.5 + 1e-8)
        assert parameter.item() == pytest.approx(x, rel=1e-12)


@pytest.mark.parametrize(
    ("option", "value"), [("factor", 0.0), ("factor", 1.0), ("patience", 0), ("stop_below", -1e-9)]
)
def test_plateau_names_what_is_out_of_range(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"optimizer\.plateau.*{option}={value}"):
        Plateau(**{option: value})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("lr", 0.0),
        ("lr", -1.0),
        ("clip_norm", 0.0),
        ("clip_norm", -2.0),
        ("skip_above", 1.0),
        ("skip_above", -4.0),
        ("skip_above", float("inf")),
        ("ema_decay", 0.0),
        ("ema_decay", 1.0),
    ],
)
def test_adam_names_what_is_out_of_range(option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"optimizer\.{option}={value}"):
        AdamSettings(**{option: value})


def test_settings_are_frozen_values() -> None:
    for value, field in ((Plateau(), "factor"), (AdamSettings(), "lr")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field, 0.5)


@pytest.mark.parametrize("betas", [(0.9, 1.0), (-0.1, 0.9), (0.9,), (0.9, 0.99, 0.999)])
def test_betas_out_of_range_are_named(betas: Any) -> None:
    with pytest.raises(
        ValueError,
        match=r"optimizer\.betas=.*must be a list of 2 values, each from 0 to less than 1",
    ):
        AdamSettings(betas=betas)


def test_settings_say_what_they_do() -> None:
    assert str(AdamSettings()) == "Adam for each group, lr 0.002, betas 0.9 and 0.999"
    assert str(AdamSettings(betas=[0.5, 0.9], clip_norm=2.0, plateau=Plateau())) == (  # type: ignore[arg-type]
        "Adam for each group, lr 0.002, betas 0.5 and 0.9, gradient norm at most 2; "
        "lr times 0.5 after 3 epochs without improvement, end below 5e-05"
    )
    assert str(AdamSettings(skip_above=4.0)) == (
        "Adam for each group, lr 0.002, betas 0.9 and 0.999, "
        "updates skipped above 4 times the median gradient norm of the 100 before"
    )
    assert str(AdamSettings(ema_decay=0.999)) == (
        "Adam for each group, lr 0.002, betas 0.9 and 0.999, weights averaged with decay 0.999"
    )


def test_moments_of_another_memory_layout_are_those_of_their_parameter() -> None:
    ends = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        weight = nn.Parameter(torch.randn(8, 4, 3, 3))
        adam = AdamSettings().build([weight])
        for step in range(3):
            weight.grad = torch.randn(8, 4, 3, 3)
            adam.step()
            if step == 1:
                for name in ("exp_avg", "exp_avg_sq"):
                    adam.state[weight][name] = adam.state[weight][name].contiguous(
                        memory_format=layout
                    )
                adam.adapt(torch.device("cpu"))
        ends.append(weight.detach())
    assert torch.equal(*ends)


def test_a_checkpoint_of_a_gpu_becomes_that_of_a_cpu() -> None:
    """A learning rate that a graph has read in memory is a number again."""
    adam = AdamSettings().build([nn.Parameter(torch.ones(2))])
    adam.param_groups[0].update(lr=torch.tensor(0.125), capturable=True)
    adam.adapt(torch.device("cpu"))
    group = adam.param_groups[0]
    assert (type(group["lr"]), group["lr"], group["capturable"]) == (float, 0.125, False)


def test_a_step_counts_as_a_write_to_its_parameters() -> None:
    """By that a prior whose moments are remembered takes them anew."""
    prior = FlowPrior(3, transforms=1, hidden_features=[4])
    optimizer, before = AdamSettings().build(prior.parameters()), prior.moments()
    prior().log_prob(torch.randn(5, 3)).mean().backward()
    optimizer.step()
    assert not torch.equal(prior.moments()[0], before[0])


def test_a_rate_that_a_gpu_rounds_below_the_last_one_is_that_one() -> None:
    plateau = Plateau(stop_below=1e-4)
    rounded = float(torch.tensor(1e-4, dtype=torch.float32))
    assert rounded < 1e-4
    assert plateau.reason_to_stop(rounded) is None
    assert plateau.reason_to_stop(0.9999e-4) is not None

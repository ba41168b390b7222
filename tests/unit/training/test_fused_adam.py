"""Our Adam against PyTorch's own, bitwise."""

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam

from reslag_vae.training.fused_adam import FusedAdam


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, 1))


def gradients(parameters: list[nn.Parameter], steps: int) -> Iterator[list[Tensor | None]]:
    torch.manual_seed(1)
    for _ in range(steps):
        yield [torch.randn_like(own) for own in parameters]


def both() -> tuple[list[nn.Parameter], FusedAdam, list[nn.Parameter], Adam]:
    own, other = list(network().parameters()), list(network().parameters())
    theirs = Adam(other, lr=0.01, betas=(0.8, 0.95), fused=True)
    return own, FusedAdam(own, 0.01, (0.8, 0.95)), other, theirs


def assert_equal(own: list[nn.Parameter], other: list[nn.Parameter]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(own, other, strict=True))


def test_steps_are_those_of_pytorch_also_where_gradients_come_and_go() -> None:
    own, ours, other, theirs = both()
    lacking: list[list[int]] = [[], [0], [], [2, 3], [2], [0, 1, 2, 3, 4, 5], []]
    for step, (values, without) in enumerate(zip(gradients(own, 7), lacking, strict=True)):
        for index, value in enumerate(values):
            given = None if index in without else value
            own[index].grad, other[index].grad = given, given
        if step == 4:  # as a schedule does
            ours.param_groups[0]["lr"] = theirs.param_groups[0]["lr"] = 0.001
        ours.step()
        theirs.step()
        assert_equal(own, other)


def test_a_checkpoint_is_that_of_pytorch_in_both_directions() -> None:
    own, ours, other, theirs = both()
    for step, values in enumerate(gradients(own, 6)):
        for mine, its, value in zip(own, other, values, strict=True):
            mine.grad = its.grad = value
        if step in (2, 4):
            kept = copy.deepcopy(ours.state_dict()), copy.deepcopy(theirs.state_dict())
            ours.load_state_dict(kept[1])
            theirs.load_state_dict(kept[0])
        ours.step()
        theirs.step()
        assert_equal(own, other)


def test_a_copy_goes_on_by_itself() -> None:
    own, ours, other, theirs = both()
    first, second = gradients(own, 2)
    for parameters, optimizer in ((own, ours), (other, theirs)):
        for parameter, value in zip(parameters, first, strict=True):
            parameter.grad = value
        optimizer.step()
    copied = copy.deepcopy(ours)
    (group,) = copied.param_groups
    for mine, its, value in zip(group["params"], other, second, strict=True):
        mine.grad = its.grad = value
    before = [parameter.clone() for parameter in own]
    copied.step()
    theirs.step()
    assert_equal(group["params"], other)
    assert all(torch.equal(a, b) for a, b in zip(own, before, strict=True))


def add_a_group(optimizer: Adam) -> None:
    """As a callback of fine tuning does."""
    torch.manual_seed(2)
    added = nn.Parameter(torch.randn(2, 3))
    optimizer.add_param_group({"params": [added], "lr": 0.1, "weight_decay": 0.2})


def shorten_the_group(optimizer: Adam) -> None:
    (group,) = optimizer.param_groups
    group["params"] = group["params"][1:]


def replace_a_parameter(optimizer: Adam) -> None:
    (group,) = optimizer.param_groups
    torch.manual_seed(2)
    group["params"][1] = nn.Parameter(torch.randn(2, 3))


def replace_the_groups(optimizer: Adam) -> None:
    (group,) = optimizer.param_groups
    halves = group["params"][:3], group["params"][3:]
    optimizer.param_groups = [group | {"params": half, "lr": 0.1} for half in halves]


def change_settings(optimizer: Adam) -> None:
    optimizer.param_groups[0].update(betas=(0.5, 0.6), eps=0.1, weight_decay=0.3, maximize=True)


def clear_all_moments(optimizer: Adam) -> None:
    optimizer.state.clear()


def put_another_state(optimizer: Adam) -> None:
    optimizer.state = copy.copy(optimizer.state)
    optimizer.state.clear()


def clear_the_moments_of_one(optimizer: Adam) -> None:
    optimizer.state[optimizer.param_groups[0]["params"][1]] = {}


def drop_the_moments_of_one(optimizer: Adam) -> None:
    del optimizer.state[optimizer.param_groups[0]["params"][1]]


def put_others_in_their_place(optimizer: Adam) -> None:
    for name in ("exp_avg", "exp_avg_sq", "step"):
        state = optimizer.state[optimizer.param_groups[0]["params"][1]]
        state[name] = torch.ones_like(state[name])


def set_them_to_zero(optimizer: Adam) -> None:
    for state in optimizer.state.values():
        for value in state.values():
            value.zero_()


def load_those_of_the_start(optimizer: Adam) -> None:
    saved = copy.deepcopy(optimizer.state_dict())
    for state in saved["state"].values():
        for value in state.values():
            value.zero_()
    optimizer.load_state_dict(saved)


def keep_the_largest(optimizer: Adam) -> None:
    optimizer.state.clear()
    optimizer.param_groups[0]["amsgrad"] = True


@pytest.mark.parametrize(
    "change",
    [
        add_a_group,
        shorten_the_group,
        replace_a_parameter,
        replace_the_groups,
        change_settings,
        clear_all_moments,
        put_another_state,
        clear_the_moments_of_one,
        drop_the_moments_of_one,
        put_others_in_their_place,
        set_them_to_zero,
        load_those_of_the_start,
        keep_the_largest,
    ],
)
def test_what_somebody_changes_between_two_steps_counts(change: Callable[[Adam], None]) -> None:
    _, ours, _, theirs = both()
    for step in range(5):
        if step == 2:
            change(ours)
            change(theirs)
        pairs = [
            (mine, its)
            for own, other in zip(ours.param_groups, theirs.param_groups, strict=True)
            for mine, its in zip(own["params"], other["params"], strict=True)
        ]
        for mine, its in pairs:
            mine.grad = its.grad = torch.randn_like(mine)
        ours.step()
        theirs.step()
        assert all(torch.equal(mine, its) for mine, its in pairs)
    for mine, its in zip(ours.state.values(), theirs.state.values(), strict=True):
        assert mine.keys() == its.keys()
        assert all(torch.equal(mine[name], its[name]) for name in its)


def test_moments_that_are_loaded_get_the_layout_of_their_parameters() -> None:
    convolution = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)
    ours = FusedAdam(convolution.parameters(), 0.01, (0.8, 0.95))
    convolution(torch.rand(1, 3, 4, 4)).sum().backward()  # type: ignore[no-untyped-call]
    ours.step()
    saved = copy.deepcopy(ours.state_dict())
    for name in ("exp_avg", "exp_avg_sq"):
        saved["state"][0][name] = saved["state"][0][name].contiguous()
    ours.load_state_dict(saved)
    weight = ours.state[convolution.weight]
    assert (
        weight["exp_avg"].stride() == weight["exp_avg_sq"].stride() == convolution.weight.stride()
    )
    assert torch.equal(weight["exp_avg"], saved["state"][0]["exp_avg"])


@pytest.mark.parametrize("found", [0.0, 1.0])
def test_a_step_that_is_found_to_be_infinite_is_none(found: float) -> None:
    own, ours, other, theirs = both()
    for values in gradients(own, 3):
        for mine, its, value in zip(own, other, values, strict=True):
            mine.grad = its.grad = value
        for optimizer in (ours, theirs):
            optimizer.found_inf = torch.tensor(found)  # type: ignore[attr-defined]
            optimizer.step()
    assert_equal(own, other)
    untouched = [torch.equal(a, b) for a, b in zip(own, network().parameters(), strict=True)]
    assert all(untouched) is bool(found)


def test_the_closure_computes_gradients_and_its_result_is_returned() -> None:
    parameter = nn.Parameter(torch.ones(1))
    optimizer = FusedAdam([parameter], 0.1, (0.9, 0.999))

    def closure() -> Tensor:
        loss = (parameter**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1.0
    assert parameter.item() == pytest.approx(0.9)


def test_a_group_without_parameters_makes_empty_steps() -> None:
    FusedAdam([], 0.1, (0.9, 0.999)).step()

"""Our Adam against PyTorch's own, bitwise."""

import copy
from collections.abc import Iterator

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


def test_moments_that_were_cleared_begin_anew() -> None:
    own, ours, other, theirs = both()
    for step, values in enumerate(gradients(own, 4)):
        for mine, its, value in zip(own, other, values, strict=True):
            mine.grad = its.grad = value
        if step == 2:
            ours.state.clear()
            theirs.state.clear()
        ours.step()
        theirs.step()
        assert_equal(own, other)
    assert len(ours.state_dict()["state"]) == len(own)


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

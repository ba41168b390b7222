"""Every system's steps are what a CUDA graph can hold, as seen where there is no GPU.

They run on tensors of a GPU that have no memory. Reading one raises an error, as does a result
whose size depends on values, and a tensor that was forgotten on the CPU. Of the backward pass and
of Adam's kernel PyTorch has no such version: the first is left out, and the second looks at where
its tensors are.

A new variant joins by being exported, a new choice of a part or an objective by its file in conf/.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from omegaconf import DictConfig
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reslag_vae.data.images import Batch
from reslag_vae.models.generative import GROUPS
from reslag_vae.options import condition
from reslag_vae.training import fused_adam
from reslag_vae.training.build import build_system
from reslag_vae.training.fused_adam import FusedAdam
from reslag_vae.training.group_steps import GroupSteps
from reslag_vae.training.optimizers import AdamSettings
from reslag_vae.training.system import BaseVAE
from reslag_vae.training.updates import Updates
from tests.contracts.test_systems import VARIANTS, Compose, FirstStage, composed
from tests.contracts.test_systems_of_objectives import ALLOWED, SMALL
from tests.contracts.test_systems_of_objectives import TINY as OF_OBJECTIVES
from tests.contracts.test_systems_of_parts import CHOICES, TINY

pytestmark = pytest.mark.usefixtures("small_digits")

GPU = torch.device("cuda", 0)
LIMITED = AdamSettings(clip_norm=1.0, skip_above=4.0)
MINIBATCH = 4

# The first of the models that take it, of each objective.
OBJECTIVES = {own: model for model, all_of in reversed(ALLOWED.items()) for own in all_of}


class OnOneDevice(TorchDispatchMode):
    """Refuses operations on tensors of two devices.

    A copy from one to the other waits for the GPU, and of a single number on the CPU, which PyTorch
    allows beside a GPU's tensors, a graph would keep the value of when it was taken.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        leaves = tree_leaves((args, kwargs, result))
        devices = {own.device.type for own in leaves if isinstance(own, Tensor)}
        assert len(devices) < 2, f"{func} is of tensors on {' and '.join(sorted(devices))}"
        return result


@contextmanager
def pretended() -> Iterator[None]:
    """Tensors are made without memory, on any device, and values of theirs are not known."""
    with FakeTensorMode(), torch.device("cpu"):
        yield


def put(system: nn.Module) -> None:
    """Put a system's parameters and buffers on the GPU that there is not."""
    moved: dict[Tensor, Tensor] = {}
    for module in system.modules():
        for tensors in cast(list[dict[str, Tensor | None]], [module._parameters, module._buffers]):
            for name, own in tensors.items():
                if own is not None:
                    tensors[name] = moved.setdefault(own, on_gpu(own))


def on_gpu(own: Tensor) -> Tensor:
    like = torch.empty_strided(own.size(), own.stride(), dtype=own.dtype, device=GPU)
    return nn.Parameter(like, own.requires_grad) if isinstance(own, nn.Parameter) else like


def kernel(*lists: list[Tensor], lr: Tensor, found_inf: Tensor | None, **_: object) -> None:
    """Adam's, which only looks at where its tensors are. A group without parameters has no norm."""
    assert (found_inf is None) is (not lists[0])
    for own in (lr, found_inf, *(own for each in lists for own in each)):
        assert own is None or own.device == GPU


class Stepping:
    """What Lightning makes of an optimizer, as far as a step needs it."""

    def __init__(self, optimizer: FusedAdam) -> None:
        self.optimizer = optimizer

    def step(self) -> None:
        self.optimizer.step()


def take_steps(system: BaseVAE) -> None:
    """Make the steps of two minibatches twice: at first moments are made, as in a graph's trial."""
    with pretended():
        put(system.train())
        system.trainer = cast(Any, SimpleNamespace(received_sigterm=False, world_size=1))
        system.manual_backward = differentiate(system)  # type: ignore[method-assign]
        optimizers = {}
        for name in GROUPS:
            own = LIMITED.build(system.group_parameters(name))
            own.param_groups[0].update(capturable=True, lr=torch.ones((), device=GPU))
            optimizers[name] = cast(LightningOptimizer, Stepping(own))
        system.group_steps = GroupSteps(LIMITED)
        system.group_steps.to(system.model.parameter)
        system.updates = Updates(system, optimizers, system.group_steps, system._forward_pass)
        system.minibatch_size = MINIBATCH
        images = torch.zeros(
            2 * MINIBATCH, *system.model.image_shape, dtype=torch.uint8, device=GPU
        )
        batch = Batch(images, torch.zeros(len(images), dtype=torch.long, device=GPU))
        system.steps(batch)
        with OnOneDevice():
            assert system.steps(batch).device == GPU


def differentiate(system: BaseVAE) -> Callable[[Tensor], None]:
    """Give all that is trained a gradient, as the backward pass does."""

    def backward(loss: Tensor) -> None:
        assert loss.device == GPU
        for own in system.parameters():
            if own.requires_grad:
                own.grad = torch.zeros_like(own)

    return backward


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseVAE], None]:
    """The function that makes the steps of a system."""

    def taken(system: BaseVAE) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(fused_adam, "adam", kernel)
            take_steps(system)

    return taken


@pytest.mark.parametrize("variant", VARIANTS)
def test_of_every_variant(
    variant: type[BaseVAE],
    compose: Compose,
    first_stage: FirstStage,
    take: Callable[[BaseVAE], None],
) -> None:
    take(build_system(composed(variant, compose, first_stage)))


@pytest.mark.parametrize(("group", "choice", "beside"), CHOICES)
def test_of_every_choice_of_a_part(
    group: str,
    choice: str,
    beside: tuple[str, ...],
    compose: Compose,
    take: Callable[[BaseVAE], None],
) -> None:
    take(build_system(compose(*beside, f"{group}={choice}", *TINY)))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_of_every_objective(
    objective: str, compose: Compose, take: Callable[[BaseVAE], None]
) -> None:
    model = OBJECTIVES[objective]
    options = (f"model={model}", f"objective={objective}", *SMALL.get(model, ()), *OF_OBJECTIVES)
    take(build_system(compose(*options)))


def test_of_a_conditional_model(compose: Compose, take: Callable[[BaseVAE], None]) -> None:
    config: DictConfig = compose("model=vae", "condition=label", *TINY)
    take(build_system(condition.named(config, ["square", "circle"])))


@pytest.mark.parametrize(
    "work",
    [
        lambda own: float(own.sum()),
        lambda own: own[own > 0],
        lambda own: own.nonzero(),
        lambda own: own + torch.ones(3),
        lambda own: own * torch.ones(()),
        lambda own: own.cpu(),
        lambda own: own.copy_(torch.ones(3)),
        lambda own: torch.ones(3).to(own),
        lambda own: own[torch.arange(2)],
    ],
)
def test_what_no_graph_can_hold_is_noticed(work: Callable[[Tensor], object]) -> None:
    with pretended():
        own = torch.ones(3, device=GPU)
        with OnOneDevice(), pytest.raises(Exception):  # noqa: B017, PT011  # PyTorch's, of many kinds
            work(own)

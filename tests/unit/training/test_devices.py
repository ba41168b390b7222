"""An update has all its tensors on the model's device, and its course depends on none of them.

The device is PyTorch's meta device, which holds shapes alone: an operation with a tensor of the CPU
raises, as it does on a GPU, and so does whatever asks for a number.
"""

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from reslag_vae.data.images import Batch
from reslag_vae.models.generative import GROUPS
from reslag_vae.training.build import build_system
from reslag_vae.training.updates import Updates

Compose = Callable[..., DictConfig]


class Copies(TorchDispatchMode):
    """Notes copies from one device to another."""

    def __init__(self) -> None:
        super().__init__()
        self.operations, self.found = 0, []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        if func.overloadpacket in (torch.ops.aten._to_copy, torch.ops.aten.copy_):
            devices = {own.device for own in (*args, result) if isinstance(own, Tensor)}
            if len(devices) > 1:
                self.found.append(str(func))
        return result


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The meta device has none."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())


def test_copies_are_seen() -> None:
    with Copies() as copies:
        torch.ones(2).to("meta")
    assert len(copies.found) == 1


@pytest.mark.parametrize(
    "options",
    [
        "model=autoencoder",
        "model=mmd_infovae",
        "model=beta_vae objective=capacity",
        "model=vae objective=warm_up",
        "model=vae objective=level_free_bits",
        "model=optimal_sigma objective=sigma_learned",
        "model=optimal_sigma likelihood=sigma_fixed",
        "model=lagging objective=sigma_optimal",
        "model=reslag_light data=cifar10",
        "model=vq_vae",
        "model=vq_vae_2 posterior.follows=loss",
        "model=fsq_vae",
        "model=ladder_vae posterior=precision_weighted",
        "model=biva",
        "model=vdvae",
        "model=reslag_deep",
        "model=pixelvae",
        "model=pixelvae_pp data=cifar10",
        "model=vae prior=flow",
        "model=vae prior=flow prior.kind=splines",
        "model=vae prior=vamp",
        "model=vae prior=two_stage",
        "model=vae posterior=bernoulli prior=boltzmann",
    ],
)
def test_an_update_stays_on_its_device(options: str, compose: Compose) -> None:
    config = compose("data=digits", *options.split())
    system = build_system(config).to("meta").train()
    optimizers: Any = {
        name: SimpleNamespace(optimizer=SimpleNamespace(), step=lambda: None) for name in GROUPS
    }
    system.manual_backward = Tensor.backward  # type: ignore[assignment]
    updates = Updates(system, optimizers, system.group_steps, system._forward_pass)
    images = torch.empty(8, *config.recipe.image_shape, dtype=torch.uint8, device="meta")
    labels = torch.empty(8, dtype=torch.int64, device="meta")
    with Copies() as copies:
        for groups in (GROUPS, ("inference",), ("generative",)):
            forward = updates.make(Batch(images, labels), groups)  # type: ignore[arg-type]
            system.model.likelihood.observe(forward.extras)
    assert copies.operations > 100
    assert copies.found == []

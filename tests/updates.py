"""What tests of the training step look at: the state of modules, and every update as it is made."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from reslag_vae.data import ImageDataModule
from reslag_vae.data.images import Batch
from reslag_vae.models.generative import GROUPS, Group
from reslag_vae.training.forward import ForwardPass
from reslag_vae.training.schedules import Update
from reslag_vae.training.system import BaseVAE


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Bitwise."""
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def state(modules: list[nn.Module]) -> dict[str, Tensor]:
    """A copy of all parameters and buffers."""
    return {
        f"{i}.{k}": v.clone()
        for i, module in enumerate(modules)
        for k, v in module.state_dict().items()
    }


def shared_state(system: BaseVAE) -> dict[str, Tensor]:
    """Of the model and the objective."""
    return state([system.model, system.objective])


def gradients(system: BaseVAE, name: Group) -> list[Tensor | None]:
    """A copy of the gradients of a group."""
    return [None if p.grad is None else p.grad.clone() for p in system.group_parameters(name)]


def norm(values: list[Tensor | None]) -> float:
    """Of all gradients together."""
    return math.sqrt(sum(float(value.square().sum()) for value in values if value is not None))


def epoch_batches(data: ImageDataModule, epoch: int) -> Iterator[Batch]:
    """The minibatches that a Trainer gives the model in an epoch."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    yield from loader


class Recorder:
    """Notes what every update does: groups, images, and their state and gradients around it."""

    def __init__(self, system: BaseVAE) -> None:
        self.system, self.original = system, system.update
        self.updates: list[tuple[int, Update]] = []
        self.images: list[list[int]] = []
        self.changed: list[set[str]] = []
        self.differentiated: list[set[str]] = []
        self.norms: list[dict[str, float]] = []
        self.forwards: list[ForwardPass] = []
        system.update = self  # type: ignore[method-assign, assignment]

    def __call__(self, batch: Batch, update: Update) -> ForwardPass:
        system = self.system
        before = {name: state(system.group(name)) for name in GROUPS}
        forward = self.original(batch, update)
        changed = {name for name in GROUPS if not equal(before[name], state(system.group(name)))}
        after = {name: gradients(system, name) for name in GROUPS}
        self.updates.append((system.current_epoch, update))
        self.images.append(batch.images[:, 0, 0, 0].tolist())
        self.changed.append(changed)
        self.differentiated.append(
            {name for name in GROUPS if any(g is not None for g in after[name])}
        )
        self.norms.append({name: norm(after[name]) for name in GROUPS})
        self.forwards.append(forward)
        return forward
